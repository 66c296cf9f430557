#include "http/request.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/builders.h"

namespace wsproxy::http {
namespace {

using test::Request;
using test::request_head;
using namespace std::string_view_literals;

constexpr std::string_view kHead =
    "GET /a?b=c HTTP/1.1\r\nHost: example.org\r\nX-Tab:\ta\tb\t\r\nX-High: \xc3\xa9\r\n\r\n";

// The outcome of a scan, in one word for a message.
std::string outcome(Parse parse, const HeadScanner& scanner) {
  if (parse == Parse::Done) return "done " + std::to_string(scanner.head_bytes());
  return parse == Parse::NeedMore ? "more" : "bad " + std::to_string(scanner.status());
}

std::string scan(std::string_view text, HeadLimits limits = {}) {
  HeadScanner scanner(limits);
  const Parse parse = scanner.scan(as_bytes(text));
  return outcome(parse, scanner);
}

// The same, fed byte by byte: a first Bad or Done counts.
std::string scan_bytewise(std::string_view text, HeadLimits limits = {}) {
  HeadScanner scanner(limits);
  for (std::size_t size = 0; size <= text.size(); ++size) {
    const Parse parse = scanner.scan(as_bytes(text).first(size));
    if (parse != Parse::NeedMore) return outcome(parse, scanner);
  }
  return "more";
}

int status_of(std::string_view line, std::initializer_list<std::string_view> fields) {
  return Request(line, fields).status;
}

int status_of_target(std::string_view target) {
  return status_of("GET " + std::string(target) + " HTTP/1.1", {"Host: h"});
}

int status_of_field(std::string_view field) {
  return status_of("GET / HTTP/1.1", {"Host: h", field});
}

// --- the scanner ---

TEST(HeadScanner, FindsTheEndAtEverySplit) {
  for (std::size_t cut = 0; cut < kHead.size(); ++cut) {
    HeadScanner scanner;
    ASSERT_EQ(scanner.scan(as_bytes(kHead).first(cut)), Parse::NeedMore) << cut;
    ASSERT_EQ(scanner.scan(as_bytes(kHead)), Parse::Done) << cut;
    ASSERT_EQ(scanner.head_bytes(), kHead.size()) << cut;
  }
}

TEST(HeadScanner, StopsBehindTheHead) {
  const std::string text = std::string(kHead) + "\x82\x80next";
  EXPECT_EQ(scan(text), "done " + std::to_string(kHead.size()));
  EXPECT_EQ(scan_bytewise(text), "done " + std::to_string(kHead.size()));
}

TEST(HeadScanner, NeedsMoreOfNothing) { EXPECT_EQ(scan(""), "more"); }

TEST(HeadScanner, AHeadMayHaveNoFields) { EXPECT_EQ(scan("GET / HTTP/1.0\r\n\r\n"), "done 18"); }

TEST(HeadScanner, IgnoresEmptyLinesBeforeTheRequestLine) {
  // RFC 9112 section 2.2
  EXPECT_EQ(scan("\r\n\r\nGET / HTTP/1.0\r\n\r\n"), "done 22");
  EXPECT_EQ(scan_bytewise("\r\nGET / HTTP/1.0\r\n\r\n"), "done 20");
  EXPECT_EQ(scan("\r\n\r\n"), "more");
}

TEST(HeadScanner, RefusesAtOnceAFirstByteThatNoMethodStartsWith) {
  for (int c = 0; c < 256; ++c) {
    const char first = static_cast<char>(c);
    const bool token = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       (c != 0 && "!#$%&'*+-.^_`|~"sv.find(first) != std::string_view::npos);
    const bool may_go_on = token || first == '\r';
    EXPECT_EQ(scan({&first, 1}), may_go_on ? "more" : "bad 400") << c;
  }
  EXPECT_EQ(scan("\r\n\x16"), "bad 400") << "behind an empty line too";
}

TEST(HeadScanner, RefusesTls) { EXPECT_EQ(scan("\x16\x03\x01\x02\x00\x01"sv), "bad 400"); }

TEST(HeadScanner, RefusesABareLineFeed) {
  for (const std::string_view text :
       {"\n", "GET / HTTP/1.1\n", "GET / HTTP/1.1\r\nHost: h\n", "GET / HTTP/1.1\r\n\n",
        "GET / HTTP/1.1\r\nHost: h\r\n\n", "\r\n\n"}) {
    EXPECT_EQ(scan(text), "bad 400") << text;
    EXPECT_EQ(scan_bytewise(text), "bad 400") << text;
  }
}

TEST(HeadScanner, RefusesABareCarriageReturn) {
  for (const std::string_view text :
       {"\rG", "\r\r", "GET\r/", "GET / HTTP/1.1\rH", "GET / HTTP/1.1\r\r\n",
        "GET / HTTP/1.1\r\nHost: a\rb", "GET / HTTP/1.1\r\nHost: a\r\r", "GET / HTTP/1.1\r\n\rX"}) {
    EXPECT_EQ(scan(text), "bad 400") << text;
    EXPECT_EQ(scan_bytewise(text), "bad 400") << text;
  }
}

TEST(HeadScanner, RefusesControlBytes) {
  for (int c = 0; c < 256; ++c) {
    if (c == '\r' || c == '\n') continue;
    const bool control = c < 0x20 || c == 0x7f;
    const std::string in_field = std::string("GET / HTTP/1.1\r\nX: a") + static_cast<char>(c);
    EXPECT_EQ(scan(in_field), control && c != '\t' ? "bad 400" : "more") << c;
    const std::string in_line = std::string("GET /a") + static_cast<char>(c);
    EXPECT_EQ(scan(in_line), control || c >= 0x80 ? "bad 400" : "more") << c;
  }
}

TEST(HeadScanner, RefusesAHeadOverItsLimitAndNotAByteBefore) {
  HeadLimits limits;
  limits.bytes = kHead.size();
  EXPECT_EQ(scan(kHead, limits), "done " + std::to_string(kHead.size()));
  EXPECT_EQ(scan_bytewise(kHead, limits), "done " + std::to_string(kHead.size()));
  limits.bytes = kHead.size() - 1;
  EXPECT_EQ(scan(kHead, limits), "bad 431");
  EXPECT_EQ(scan_bytewise(kHead, limits), "bad 431");
}

TEST(HeadScanner, AFieldThatNeverEndsIsRefusedAt16Kilobytes) {
  const std::string start = "GET / HTTP/1.1\r\nX: ";
  const std::string longest = start + std::string(HeadLimits{}.bytes - start.size(), 'x');
  EXPECT_EQ(longest.size(), 16384U);
  EXPECT_EQ(scan(longest), "more");
  EXPECT_EQ(scan(longest + "x"), "bad 431");
}

TEST(HeadScanner, EmptyLinesInFrontCountAsWell) {
  HeadLimits limits;
  limits.bytes = 100;
  std::string text;
  for (int i = 0; i < 50; ++i) text += "\r\n";
  EXPECT_EQ(scan(text, limits), "more");
  EXPECT_EQ(scan(text + "\r", limits), "bad 431");
}

TEST(HeadScanner, RefusesARequestLineThatCanOnlyHaveTooLongATarget) {
  HeadLimits limits;
  limits.target_bytes = 100;
  EXPECT_EQ(scan("GET /" + std::string(99, 'x') + " HTTP/1.1\r\n\r\n", limits), "done 117");
  EXPECT_EQ(scan("GET /" + std::string(400, 'x'), limits), "bad 414");
  EXPECT_EQ(scan_bytewise("GET /" + std::string(400, 'x'), limits), "bad 414");
  EXPECT_EQ(scan("GET / HTTP/1.1\r\nX: " + std::string(400, 'x'), limits), "more")
      << "the limit is the request line's";
}

TEST(HeadScanner, AMethodThatNeverEndsIsNotImplemented) {
  // RFC 9112 section 3
  HeadLimits limits;
  limits.target_bytes = 100;
  EXPECT_EQ(scan(std::string(400, 'x'), limits), "bad 501");
  EXPECT_EQ(scan_bytewise("\r\n" + std::string(400, 'x'), limits), "bad 501");
}

TEST(MethodOf, IsWhatStandsBeforeTheFirstSpace) {
  const auto of = [](std::string_view text) { return method_of(as_bytes(text)); };
  EXPECT_EQ(of("HEAD / HTTP/1.1\r\nnonsense"), "HEAD");
  EXPECT_EQ(of("\r\nHEAD "), "HEAD");
  for (const std::string_view text :
       {""sv, "HEAD"sv, " / HTTP/1.1"sv, "\x16\x03\x01 "sv, "G\r\n /"sv, "A\0 "sv}) {
    EXPECT_EQ(of(text), "") << text;
  }
  EXPECT_EQ(of(std::string(32, 'A') + " /"), "");
}

TEST(HeadScanner, SplitsNeverChangeTheOutcome) {
  HeadLimits small;
  small.bytes = 120;
  small.target_bytes = 20;
  for (
      const std::string_view text :
      {kHead, "\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\nrest"sv, "GET /\x01 HTTP/1.1\r\n"sv,
       "GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"sv,
       "G\nT"sv, "GET / HTTP/1.1\r\nA: b\rc"sv, "GET / HTTP/1.1\r\nA: \0"sv}) {
    for (const HeadLimits& limits : {HeadLimits{}, small}) {
      const std::string whole = scan(text, limits);
      EXPECT_EQ(scan_bytewise(text, limits), whole) << text;
      for (std::size_t cut = 0; cut <= text.size(); ++cut) {
        HeadScanner scanner(limits);
        Parse parse = scanner.scan(as_bytes(text).first(cut));
        if (parse == Parse::NeedMore) parse = scanner.scan(as_bytes(text));
        EXPECT_EQ(outcome(parse, scanner), whole) << text << " cut at " << cut;
      }
    }
  }
}

// --- the request line ---

TEST(RequestLine, GivesMethodTargetPathAndQuery) {
  const Request request("GET /a/b?c=d?e HTTP/1.1", {"Host: h"});
  ASSERT_EQ(request.status, 0);
  EXPECT_EQ(request.head.method, "GET");
  EXPECT_EQ(request.head.target, "/a/b?c=d?e");
  EXPECT_EQ(request.head.path, "/a/b");
  EXPECT_EQ(request.head.query, "c=d?e");
  EXPECT_EQ(request.head.minor_version, 1);
}

struct TargetCase {
  std::string_view target, path, query;
};

TEST(RequestLine, SplitsEveryFormOfTarget) {
  constexpr TargetCase kCases[] = {
      {"/", "/", ""},
      {"/?", "/", ""},
      {"/%41%2f?x=%20", "/%41%2f", "x=%20"},
      {"//h/p", "//h/p", ""},
      {"http://example.org", "/", ""},
      {"http://example.org/", "/", ""},
      {"http://example.org/a/b?c", "/a/b", "c"},
      {"http://example.org?c", "/", "c"},
      {"http://example.org?c=/d", "/", "c=/d"},
      {"HTTPS://h:80/p", "/p", ""},
      {"ws://h/p?t", "/p", "t"},
  };
  for (const auto& [target, path, query] : kCases) {
    const Request request("GET " + std::string(target) + " HTTP/1.1", {"Host: h"});
    ASSERT_EQ(request.status, 0) << target;
    EXPECT_EQ(request.head.target, target);
    EXPECT_EQ(request.head.path, path) << target;
    EXPECT_EQ(request.head.query, query) << target;
  }
}

TEST(RequestLine, TheAsteriskIsForOptionsAlone) {
  // RFC 9112 section 3.2.4
  const Request request("OPTIONS * HTTP/1.1", {"Host: h"});
  EXPECT_EQ(request.status, 0);
  EXPECT_EQ(request.head.path, "*");
  EXPECT_EQ(status_of("GET * HTTP/1.1", {"Host: h"}), 400);
  EXPECT_EQ(status_of("HEAD * HTTP/1.1", {"Host: h"}), 400);
  EXPECT_EQ(status_of("OPTIONS *a HTTP/1.1", {"Host: h"}), 400);
  EXPECT_EQ(status_of("OPTIONS ** HTTP/1.1", {"Host: h"}), 400);
}

TEST(RequestLine, ConnectNamesAHostAndAPortAndNothingElseDoes) {
  // RFC 9112 section 3.2.3
  for (const std::string_view target : {"h:1", "example.org:443", "[::1]:80"}) {
    const Request request("CONNECT " + std::string(target) + " HTTP/1.1", {"Host: h"});
    EXPECT_EQ(request.status, 0) << target;
    EXPECT_EQ(request.head.host, target);
    EXPECT_EQ(request.head.path, "");
    EXPECT_EQ(status_of_target(target), 400) << target;
  }
  for (const std::string_view target :
       {"/", "*", "h", "h1", "h:", ":1", "[::1]", "h:1/", "http://h:1/", "u@h:1"}) {
    EXPECT_EQ(status_of("CONNECT " + std::string(target) + " HTTP/1.1", {"Host: h"}), 400)
        << target;
  }
}

TEST(RequestLine, AnAbsoluteTargetIsAHttpUriWithAHost) {
  // RFC 9110 section 4.2: an empty host is invalid, userinfo an error
  for (const std::string_view target :
       {"://h/", "http:///", "http://", "http://?q", "http://:80/", "http://user@h/",
        "http://u:p@h/", "http://h:x/", "http://[::1/", "ftp://h/", "file:///etc/passwd", "h://h/",
        "http://a,b/", "http//h/", "http:h"}) {
    EXPECT_EQ(status_of_target(target), 400) << target;
  }
}

TEST(RequestLine, TheHostOfAnAbsoluteTargetGoesBeforeTheField) {
  // RFC 9112 section 3.2.2
  EXPECT_EQ(Request("GET http://a:1/ HTTP/1.1", {"Host: b:2"}).head.host, "a:1");
  EXPECT_EQ(Request("GET / HTTP/1.1", {"Host: b:2"}).head.host, "b:2");
  EXPECT_EQ(Request("GET / HTTP/1.0", {}).head.host, "");
  EXPECT_EQ(status_of("GET http://a/ HTTP/1.1", {}), 400) << "a missing Host stays an error";
  EXPECT_EQ(status_of("GET http://a/ HTTP/1.1", {"Host: b/"}), 400);
}

TEST(RequestLine, RefusesOtherTargets) {
  for (const std::string_view target : {"a", "example.org:443", "?x", "http:/x", "a b", "/a b",
                                        " /", "/ ", "/\x80", "/\x7f", "/\ta"}) {
    EXPECT_EQ(status_of_target(target), 400) << target;
  }
}

TEST(RequestLine, RefusesATargetOverItsLimit) {
  EXPECT_EQ(status_of_target("/" + std::string(4095, 'x')), 0);
  EXPECT_EQ(status_of_target("/" + std::string(4096, 'x')), 414);
}

TEST(RequestLine, WantsExactlyTwoSpaces) {
  for (const std::string_view line :
       {"", "GET", "GET /", "GET  HTTP/1.1", "GET  / HTTP/1.1", "GET /  HTTP/1.1",
        " GET / HTTP/1.1", "GET / HTTP/1.1 ", "GET\t/\tHTTP/1.1", "GET /HTTP/1.1", "/ HTTP/1.1",
        "GET / / HTTP/1.1"}) {
    EXPECT_EQ(status_of(line, {"Host: h"}), 400) << line;
  }
}

TEST(RequestLine, AMethodIsAnyToken) {
  EXPECT_EQ(status_of("get / HTTP/1.1", {"Host: h"}), 0);
  EXPECT_EQ(status_of("M-SEARCH / HTTP/1.1", {"Host: h"}), 0);
  EXPECT_EQ(status_of("!#$%&'*+-.^_`|~09 / HTTP/1.1", {"Host: h"}), 0);
  for (const std::string_view method : {"G(T", "G,T", "G/T", "G:T", "G@T", "\"GET\"", "G\x80T"}) {
    EXPECT_EQ(status_of(std::string(method) + " / HTTP/1.1", {"Host: h"}), 400) << method;
  }
}

TEST(RequestLine, KnowsItsVersions) {
  const std::pair<std::string_view, int> cases[] = {
      {"HTTP/1.1", 0},   {"HTTP/1.0", 0},    {"HTTP/1.2", 0},    {"HTTP/1.9", 0},
      {"HTTP/2.0", 505}, {"HTTP/3.0", 505},  {"HTTP/0.9", 505},  {"HTTP/9.9", 505},
      {"HTTP/1", 400},   {"HTTP/1.", 400},   {"HTTP/1.x", 400},  {"HTTP/x.1", 400},
      {"HTTP/11", 400},  {"HTTP/1.10", 400}, {"HTTP/01.1", 400}, {"HTTP/1,1", 400},
      {"http/1.1", 400}, {"HTTP 1.1", 400},  {"HTTPS/1.1", 400}, {"", 400},
      {"HTTP/2", 400},   {"HTTP/1.-", 400},  {"HTTP/-.1", 400},
  };
  for (const auto& [version, status] : cases) {
    EXPECT_EQ(status_of("GET / " + std::string(version), {"Host: h"}), status) << version;
  }
}

TEST(RequestLine, AHigherMinorVersionIsTreatedAs11) {
  EXPECT_EQ(Request("GET / HTTP/1.0", {}).head.minor_version, 0);
  EXPECT_EQ(Request("GET / HTTP/1.7", {"Host: h"}).head.minor_version, 1);
}

TEST(RequestLine, EmptyLinesInFrontAreSkipped) {
  const Request request("\r\n\r\n" + request_head("GET /x HTTP/1.1", {"Host: h"}));
  EXPECT_EQ(request.status, 0);
  EXPECT_EQ(request.head.path, "/x");
}

// --- fields ---

TEST(Fields, AreTrimmedAndKeptInOrder) {
  const Request request("GET / HTTP/1.1", {"Host: h", "A:1", "b: \t 2 3 \t", "A:", "c:d:e"});
  ASSERT_EQ(request.status, 0);
  const auto& fields = request.head.fields;
  ASSERT_EQ(fields.size(), 5U);
  EXPECT_EQ(fields[1].name, "A");
  EXPECT_EQ(fields[1].value, "1");
  EXPECT_EQ(fields[2].name, "b");
  EXPECT_EQ(fields[2].value, "2 3");
  EXPECT_EQ(fields[3].value, "");
  EXPECT_EQ(fields[4].value, "d:e");
}

TEST(Fields, RefuseWhatIsNotNameColonValue) {
  for (const std::string_view field :
       {"noColon", ": v", "Na me: v", "Name : v", "Name\t: v", " Name: v", "\tName: v", "N@me: v",
        "N(: v", "N\xc3\xa9: v", "\"N\": v"}) {
    EXPECT_EQ(status_of_field(field), 400) << field;
  }
}

TEST(Fields, RefuseAFoldedLine) {
  EXPECT_EQ(status_of("GET / HTTP/1.1", {"Host: h", "A: b", " c"}), 400);
  EXPECT_EQ(status_of("GET / HTTP/1.1", {"Host: h", "A: b", "\tc: d"}), 400);
  EXPECT_EQ(status_of("GET / HTTP/1.1", {" Host: h"}), 400);
}

TEST(Fields, AreAtMost100) {
  std::string text = "GET / HTTP/1.1\r\nHost: h\r\n";
  for (int i = 1; i < 100; ++i) text += "X: y\r\n";
  EXPECT_EQ(Request(text + "\r\n").status, 0);
  EXPECT_EQ(Request(text + "X: y\r\n\r\n").status, 431);
}

TEST(Fields, AreFoundWithoutCase) {
  const Request request("GET / HTTP/1.1", {"Host: h", "Upgrade: a", "uPgRaDe: b", "X-One: 1"});
  EXPECT_EQ(request.head.count("UPGRADE"), 2U);
  EXPECT_EQ(request.head.count("x-two"), 0U);
  EXPECT_EQ(request.head.field("x-oNE"), "1");
  EXPECT_FALSE(request.head.field("x-on"));
  EXPECT_FALSE(request.head.field("upgrade")) << "sent twice";
}

// --- host and framing ---

TEST(Host, IsNeededOnceIn11) {
  EXPECT_EQ(status_of("GET / HTTP/1.1", {}), 400);
  EXPECT_EQ(status_of("GET / HTTP/1.1", {"X: y"}), 400);
  EXPECT_EQ(status_of("GET / HTTP/1.1", {"Host: a", "Host: a"}), 400);
  EXPECT_EQ(status_of("GET / HTTP/1.1", {"Host: a", "hOST: b"}), 400);
  EXPECT_EQ(status_of("GET / HTTP/1.0", {}), 0);
  EXPECT_EQ(status_of("GET / HTTP/1.0", {"Host: a"}), 0);
  EXPECT_EQ(status_of("GET / HTTP/1.0", {"Host: a", "Host: a"}), 400);
}

TEST(Host, IsAHostAndPerhapsAPort) {
  for (const std::string_view host :
       {"example.org", "example.org:80", "127.0.0.1:6080", "[::1]:6080", "[fe80::1%25eth0]", "",
        "[::]:", "h:", "%41b", "[::ffff:10.0.0.1]", "under_score", "xn--bcher-kva.example", "a~b",
        "!$&'()*+;=", "[fe80::1%25a.b_c~d-1]"}) {
    EXPECT_EQ(status_of("GET / HTTP/1.1", {"Host: " + std::string(host)}), 0) << host;
  }
  for (const std::string_view host : {"a b",
                                      "a,b",
                                      "a/b",
                                      "user@h",
                                      "h?x",
                                      "h#x",
                                      "h\\x",
                                      "\"h\"",
                                      "<h>",
                                      "h\tx",
                                      "b\xc3\xbc",
                                      ":80",
                                      "h:x",
                                      "a:1:2",
                                      "h:-1",
                                      "[",
                                      "[]",
                                      "[::1",
                                      "::1",
                                      "[::1]x",
                                      "[::1]80",
                                      "[x]",
                                      "[1]",
                                      "a[::1]",
                                      "[fe80::1%eth0]",
                                      "[fe80::1%25]",
                                      "%4",
                                      "%",
                                      "%zz",
                                      "h%",
                                      "%4g",
                                      "a{b",
                                      "[::g]",
                                      "[::1%25a!]",
                                      "[::1/]"}) {
    EXPECT_EQ(status_of("GET / HTTP/1.1", {"Host: " + std::string(host)}), 400) << host;
  }
}

TEST(Framing, ContentLengthIsOneNumber) {
  for (const std::string_view value : {"0", "5", "00", "123456789012345678"}) {
    EXPECT_EQ(status_of_field("Content-Length: " + std::string(value)), 0) << value;
  }
  for (const std::string_view value : {"", "-1", "+1", "1 2", "1,1", "5, 5", "0x1", "1e3", "five",
                                       "1.0", "1234567890123456789", "18446744073709551616"}) {
    EXPECT_EQ(status_of_field("Content-Length: " + std::string(value)), 400) << value;
  }
  EXPECT_EQ(status_of("GET / HTTP/1.1", {"Host: h", "Content-Length: 5", "Content-Length: 5"}),
            400);
  EXPECT_EQ(status_of("GET / HTTP/1.1", {"Host: h", "Content-Length: 5", "content-length: 6"}),
            400);
}

TEST(Framing, ChunkedIsTheTransferCodingWeKnow) {
  EXPECT_EQ(status_of_field("Transfer-Encoding: chunked"), 0);
  EXPECT_EQ(status_of_field("transfer-encoding: Chunked"), 0);
  for (const std::string_view value : {"gzip", "identity", "", "chunke", "xchunked"}) {
    EXPECT_EQ(status_of_field("Transfer-Encoding: " + std::string(value)), 501) << value;
  }
}

TEST(Framing, TransferEncodingConflictsWithContentLengthAnd10) {
  EXPECT_EQ(
      status_of("POST / HTTP/1.1", {"Host: h", "Transfer-Encoding: chunked", "Content-Length: 0"}),
      400);
  EXPECT_EQ(
      status_of("POST / HTTP/1.1", {"Host: h", "Content-Length: 3", "Transfer-Encoding: gzip"}),
      400);
  EXPECT_EQ(status_of("POST / HTTP/1.0", {"Host: h", "Transfer-Encoding: chunked"}), 400);
}

TEST(Framing, ChunkedThatIsNotTheLastCodingIsRefused) {
  // RFC 9112 section 6.3: the length cannot be told, the server MUST answer 400
  EXPECT_EQ(status_of_field("Transfer-Encoding: chunked, gzip"), 400);
  EXPECT_EQ(status_of("POST / HTTP/1.1",
                      {"Host: h", "Transfer-Encoding: chunked", "Transfer-Encoding: identity"}),
            400);
  // section 7.1: chunked is not to be applied twice
  EXPECT_EQ(status_of_field("Transfer-Encoding: chunked, chunked"), 400);
}

TEST(Framing, ABodyIsAnnouncedByALengthOverZeroOrACoding) {
  EXPECT_FALSE(has_body(Request("GET / HTTP/1.1", {"Host: h"}).head));
  EXPECT_FALSE(has_body(Request("GET / HTTP/1.1", {"Host: h", "Content-Length: 0"}).head));
  EXPECT_FALSE(has_body(Request("GET / HTTP/1.1", {"Host: h", "Content-Length: 000"}).head));
  EXPECT_TRUE(has_body(Request("GET / HTTP/1.1", {"Host: h", "Content-Length: 10"}).head));
  EXPECT_TRUE(has_body(Request("GET / HTTP/1.1", {"Host: h", "Transfer-Encoding: chunked"}).head));
}

// --- lists ---

TEST(Lists, AreJoinedFromAllFieldsOfTheName) {
  const Request request("GET / HTTP/1.1",
                        {"Host: h", "A: x, y", "B: no", "a: ,, z ,\t,", "A:", "A: \"q\""});
  EXPECT_EQ(request.head.list("a"), (std::vector<std::string_view>{"x", "y", "z", "\"q\""}));
  EXPECT_TRUE(request.head.list("missing").empty());
}

TEST(Lists, FindWholeElementsWithoutCase) {
  const Request request("GET / HTTP/1.1",
                        {"Host: h", "Connection: keep-alive,  UPGRADE\t", "Connection: x-close"});
  EXPECT_TRUE(request.head.lists("connection", "upgrade"));
  EXPECT_TRUE(request.head.lists("CONNECTION", "Keep-Alive"));
  EXPECT_FALSE(request.head.lists("connection", "close"));
  EXPECT_FALSE(request.head.lists("connection", "up"));
  EXPECT_FALSE(request.head.lists("connection", ""));
  EXPECT_FALSE(request.head.lists("upgrade", "upgrade"));
}

TEST(KeepsAlive, UnlessToldOtherwiseOrIn10) {
  EXPECT_TRUE(Request("GET / HTTP/1.1", {"Host: h"}).head.keeps_alive());
  EXPECT_TRUE(Request("GET / HTTP/1.1", {"Host: h", "Connection: upgrade"}).head.keeps_alive());
  EXPECT_FALSE(Request("GET / HTTP/1.1", {"Host: h", "Connection: Close"}).head.keeps_alive());
  EXPECT_FALSE(Request("GET / HTTP/1.1", {"Host: h", "Connection: a, close"}).head.keeps_alive());
  EXPECT_FALSE(Request("GET / HTTP/1.0", {}).head.keeps_alive());
  EXPECT_FALSE(Request("GET / HTTP/1.0", {"Connection: keep-alive"}).head.keeps_alive());
}

// --- helpers ---

TEST(KnownMethod, IsOneOfTheRfcsInItsCase) {
  for (const std::string_view method :
       {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}) {
    EXPECT_TRUE(is_known_method(method)) << method;
  }
  for (const std::string_view method : {"", "get", "Get", "GETX", "GE", "BREW", "PROPFIND"}) {
    EXPECT_FALSE(is_known_method(method)) << method;
  }
}

TEST(EqualsIgnoringCase, FoldsAsciiLettersOnly) {
  EXPECT_TRUE(equals_ignoring_case("", ""));
  EXPECT_TRUE(equals_ignoring_case("aZ-09", "Az-09"));
  EXPECT_FALSE(equals_ignoring_case("a", "ab"));
  EXPECT_FALSE(equals_ignoring_case("[", "{")) << "differ in the bit that makes letters small";
  EXPECT_FALSE(equals_ignoring_case("@", "`"));
  EXPECT_FALSE(equals_ignoring_case("\xc9", "\xe9"));
}

TEST(Trim, TakesSpacesAndTabsOffBothEnds) {
  EXPECT_EQ(trim(" \t a \t b\t "), "a \t b");
  EXPECT_EQ(trim(""), "");
  EXPECT_EQ(trim(" \t"), "");
  EXPECT_EQ(trim("\na\r"), "\na\r");
}

TEST(PercentDecode, UndoesEveryByteInEitherCase) {
  EXPECT_EQ(percent_decode(""), "");
  EXPECT_EQ(percent_decode("a+b%20c"), "a+b c");
  EXPECT_EQ(percent_decode("%2f%2F%00%fF"), std::string("//\0\xff", 4));
  EXPECT_EQ(percent_decode("%2541"), "%41") << "once, not twice";
}

TEST(PercentDecode, RefusesABrokenEscape) {
  for (const std::string_view text :
       {"%", "a%", "%4", "%g0", "%0g", "%%41", "%-1", "%+1", "% 1", "%0x41", "ok%2"}) {
    EXPECT_FALSE(percent_decode(text)) << text;
  }
}

TEST(RequestLine, AFragmentIsRefused) {
  EXPECT_EQ(status_of("GET /a#b HTTP/1.1", {"Host: h"}), 400);
}

TEST(RequestHead, CutAnywhereIsReadToItsEndAndNoFurther) {
  const std::string whole = "OPTIONS * HTTP/1.0\r\nHost: h:1\r\nContent-Length: 0\r\n\r\n";
  for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
    const std::string head = whole.substr(0, cut);
    RequestHead out;
    const int status = parse_request_head(as_bytes(head), {}, out);
    const bool has_line = cut >= std::string_view("OPTIONS * HTTP/1.0").size();
    EXPECT_TRUE(status == 400 || (status == 0 && has_line)) << cut;
  }
}

TEST(PercentDecode, DoesNotReadBehindTheEnd) {
  EXPECT_FALSE(percent_decode(std::string_view("%41", 2)));
  EXPECT_FALSE(percent_decode(std::string_view("%41", 1)));
}

}  // namespace
}  // namespace wsproxy::http

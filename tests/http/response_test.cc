#include "http/response.h"

#include <gtest/gtest.h>

#include <string>

#include "support/builders.h"

namespace wsproxy::http {
namespace {

using test::Request;

constexpr std::time_t kNow = 784111777;  // Sun, 06 Nov 1994 08:49:37 GMT
constexpr std::string_view kNowText = "Sun, 06 Nov 1994 08:49:37 GMT";
constexpr std::string_view kTag = "\"tag\"";

bool gzip_for(std::string_view accept_encoding) {
  return accepts_gzip(
      Request("GET / HTTP/1.1", {"Host: h", "Accept-Encoding: " + std::string(accept_encoding)})
          .head);
}

// --- heads ---

TEST(ResponseHead, BeginsWithStatusAndDate) {
  EXPECT_EQ(ResponseHead(200, kNow).str(),
            "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n");
}

TEST(ResponseHead, AddsFieldsInOrder) {
  ResponseHead head(206, kNow);
  head.add("A", "b c").add("N", 18446744073709551615U);
  EXPECT_EQ(head.str(),
            "HTTP/1.1 206 Partial Content\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
            "A: b c\r\nN: 18446744073709551615\r\n\r\n");
}

TEST(ReasonPhrase, NamesWhatWeSend) {
  EXPECT_EQ(reason_phrase(101), "Switching Protocols");
  EXPECT_EQ(reason_phrase(404), "Not Found");
  EXPECT_EQ(reason_phrase(431), "Request Header Fields Too Large");
  EXPECT_EQ(reason_phrase(505), "HTTP Version Not Supported");
  EXPECT_EQ(reason_phrase(299), "Unknown");
}

TEST(PlainResponse, HasABodyOfItsLength) {
  EXPECT_EQ(plain_response(404, "no such file", "", kNow, false, true),
            "HTTP/1.1 404 Not Found\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
            "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 27\r\n"
            "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n\r\n"
            "404 Not Found\nno such file\n");
}

TEST(PlainResponse, WithoutDetailSaysTheStatusAlone) {
  const std::string text = plain_response(400, "", "", kNow, false, true);
  EXPECT_TRUE(text.ends_with("\r\n\r\n400 Bad Request\n"));
  EXPECT_NE(text.find("Content-Length: 16\r\n"), std::string::npos);
}

TEST(PlainResponse, ToHeadHasTheSameHeadAndNoBody) {
  const std::string whole = plain_response(404, "x", "", kNow, false, true);
  const std::string head = plain_response(404, "x", "", kNow, true, true);
  EXPECT_TRUE(head.ends_with("\r\n\r\n"));
  EXPECT_EQ(whole, head + "404 Not Found\nx\n");
}

TEST(PlainResponse, AnnouncesTheClose) {
  EXPECT_EQ(plain_response(400, "", "", kNow, false, true).find("Connection:"), std::string::npos);
  EXPECT_NE(plain_response(400, "", "", kNow, false, false).find("\r\nConnection: close\r\n"),
            std::string::npos);
}

TEST(PlainResponse, PutsExtraLinesIntoTheHead) {
  const std::string text =
      plain_response(405, "", "Allow: GET, HEAD\r\nX: y\r\n", kNow, false, false);
  EXPECT_NE(text.find("\r\nAllow: GET, HEAD\r\nX: y\r\n\r\n405 "), std::string::npos) << text;
}

// --- dates ---

std::optional<std::time_t> read_date(std::string_view text) { return parse_http_date(text, kNow); }

TEST(HttpDate, IsWrittenAndReadBack) {
  EXPECT_EQ(http_date(kNow), kNowText);
  EXPECT_EQ(read_date(kNowText), kNow);
  EXPECT_EQ(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(read_date("Thu, 01 Jan 1970 00:00:00 GMT"), 0);
  EXPECT_EQ(http_date(4102444799), "Thu, 31 Dec 2099 23:59:59 GMT");
  EXPECT_EQ(http_date(951782400), "Tue, 29 Feb 2000 00:00:00 GMT");
}

TEST(HttpDate, EveryDayOfTwentyYearsIsReadBack) {
  for (std::time_t day = 0; day < 7320; ++day) {
    const std::time_t time = 1'600'000'000 + day * 86'400 + day * 37;
    ASSERT_EQ(read_date(http_date(time)), time);
  }
}

TEST(HttpDate, TheObsoleteFormsAreTakenToo) {
  // RFC 9110 section 5.6.7: a recipient MUST accept all three
  EXPECT_EQ(read_date("Sunday, 06-Nov-94 08:49:37 GMT"), kNow);
  EXPECT_EQ(read_date("Sun Nov  6 08:49:37 1994"), kNow);
  EXPECT_EQ(read_date("Wed Nov 16 08:49:37 1994"), kNow + std::time_t{10} * 86'400);
  for (const std::string_view text :
       {"Sun, 06-Nov-94 08:49:37 GMT", "Sunday, 6-Nov-94 08:49:37 GMT",
        "Monday, 06-Nov-94 08:49:37 GMT", "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37", "Sun Nov 6 08:49:37 1994", "Sun Nov 06 08:49:37 1994",
        "Sun Nov  6 08:49:37 1994 GMT", "Sun Nov  6 08:49:37 94", "Mon Nov  6 08:49:37 1994"}) {
    EXPECT_FALSE(read_date(text)) << text;
  }
}

TEST(HttpDate, AYearOfTwoDigitsIsNotMoreThan50YearsAhead) {
  constexpr std::time_t kIn2026 = 1'790'000'000;
  EXPECT_EQ(http_date(*parse_http_date("Thursday, 01-Jan-76 00:00:00 GMT", kNow)),
            "Thu, 01 Jan 1976 00:00:00 GMT");
  EXPECT_EQ(http_date(*parse_http_date("Wednesday, 01-Jan-76 00:00:00 GMT", kIn2026)),
            "Wed, 01 Jan 2076 00:00:00 GMT");
  EXPECT_EQ(http_date(*parse_http_date("Saturday, 01-Jan-77 00:00:00 GMT", kIn2026)),
            "Sat, 01 Jan 1977 00:00:00 GMT");
}

TEST(HttpDate, BrokenTextIsNotTaken) {
  for (const std::string_view text :
       {"", "x", "0", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 GMT ", "Sun, 06 Nov 1994 08:49:37 GMT; length=5",
        "Sun, 32 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT", "Sun, 06 Nix 1994 08:49:37 GMT",
        "06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 GMT"}) {
    EXPECT_FALSE(read_date(text)) << text;
  }
}

TEST(HttpDate, OneSpellingIsTakenAndNoOther) {
  // RFC 9110 section 5.6.7 has one spelling, with case
  for (const std::string_view text :
       {"Sunday, 06 Nov 1994 08:49:37 GMT", "Sun, 06 November 1994 08:49:37 GMT",
        "sun, 06 nov 1994 08:49:37 gmt", "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 8:49:37 GMT", "Sun,  06  Nov  1994  08:49:37  GMT",
        "Sun,06Nov1994 08:49:37 GMT", "Mon, 06 Nov 1994 08:49:37 GMT",
        "Thu, 31 Feb 1994 08:49:37 GMT", " Sun, 06 Nov 1994 08:49:37 GMT"}) {
    EXPECT_FALSE(read_date(text)) << text;
  }
  using std::string_view_literals::operator""sv;
  EXPECT_FALSE(read_date("Sun, 06 Nov 1994 08:49:37 GMT\0x"sv));
}

// --- Accept-Encoding ---

TEST(AcceptsGzip, WhereItIsNamedOrStarred) {
  for (const std::string_view value :
       {"gzip", "GZip", "x-gzip", "deflate, gzip", "gzip;q=1", "gzip;q=0.001", "gzip ; q=0.5",
        "gzip;\tq=1.000", "*", "*;q=0.1", "br;q=1.0, gzip;q=0.8, *;q=0.1", "*;q=0, gzip",
        "gzip, *;q=0", "identity;q=0, gzip", ", gzip ,"}) {
    EXPECT_TRUE(gzip_for(value)) << value;
  }
}

TEST(AcceptsGzip, NotWhereItIsForbiddenOrUnnamed) {
  for (const std::string_view value :
       {"", "identity", "deflate, br", "gzip;q=0", "gzip; q=0", "gzip;q=0.0", "gzip;q=0.000",
        "gzip ;q=0", "x-gzip;q=0", "*;q=0", "*;q=0.0", "gzip;q=0, *", "*, gzip;q=0", "gzipped",
        "not-gzip", "gzip;q=", "gzip;q=x"}) {
    EXPECT_FALSE(gzip_for(value)) << value;
  }
  EXPECT_FALSE(accepts_gzip(Request("GET / HTTP/1.1", {"Host: h"}).head)) << "no field at all";
}

TEST(AcceptsGzip, TheWeightsNameHasNoCase) {
  // RFC 9110 section 12.4.2 with the case-insensitive strings of RFC 5234
  EXPECT_FALSE(gzip_for("gzip;Q=0"));
  EXPECT_FALSE(gzip_for("*; Q=0.0"));
}

TEST(AcceptsGzip, ReadsAllFieldsAsOneList) {
  EXPECT_TRUE(accepts_gzip(
      Request("GET / HTTP/1.1", {"Host: h", "Accept-Encoding: br", "accept-encoding: gzip"}).head));
}

// --- conditions ---

bool fresh(std::initializer_list<std::string_view> fields, std::string_view etag = kTag,
           std::time_t modified = kNow) {
  return not_modified(Request("GET / HTTP/1.0", fields).head, etag, modified, kNow);
}

bool fails(std::initializer_list<std::string_view> fields, std::time_t modified = kNow) {
  return precondition_fails(Request("GET / HTTP/1.0", fields).head, kTag, modified, kNow);
}

TEST(Precondition, HoldsWhereNothingIsAsked) { EXPECT_FALSE(fails({})); }

TEST(Precondition, IfMatchComparesStrongly) {
  // RFC 9110 section 13.1.1
  for (const std::string_view value : {"\"tag\"", "*", "\"a\", \"tag\""}) {
    EXPECT_FALSE(fails({"If-Match: " + std::string(value)})) << value;
  }
  for (const std::string_view value : {"", "\"other\"", "W/\"tag\"", "tag"}) {
    EXPECT_TRUE(fails({"If-Match: " + std::string(value)})) << value;
  }
}

TEST(Precondition, IfUnmodifiedSinceComparesToTheSecond) {
  // RFC 9110 section 13.1.4
  const std::string name = "If-Unmodified-Since: ";
  EXPECT_FALSE(fails({name + http_date(kNow)}));
  EXPECT_TRUE(fails({name + http_date(kNow - 1)}));
  EXPECT_FALSE(fails({name + "yesterday"})) << "ignored when it is no date";
  EXPECT_FALSE(fails({name + http_date(0)}, 0)) << "and when the age is unknown";
  EXPECT_FALSE(fails({"If-Match: \"tag\"", name + http_date(0)})) << "a tag goes before a date";
}

TEST(NotModified, IsFalseWithoutAnyCondition) { EXPECT_FALSE(fresh({})); }

TEST(NotModified, ComparesTagsWeakly) {
  for (const std::string_view value :
       {"\"tag\"", "W/\"tag\"", "*", "\"a\", \"tag\"", "\"a\",W/\"tag\" ,\"b\"", " \"tag\" "}) {
    EXPECT_TRUE(fresh({"If-None-Match: " + std::string(value)})) << value;
  }
  for (const std::string_view value : {"", "\"other\"", "tag", "\"TAG\"", "w/\"tag\"", "\"tag",
                                       "\"tag\"x", "W/W/\"tag\"", "W/", "\"ta\", \"g\""}) {
    EXPECT_FALSE(fresh({"If-None-Match: " + std::string(value)})) << value;
  }
}

TEST(NotModified, ReadsTagsOfAllFields) {
  EXPECT_TRUE(fresh({"If-None-Match: \"a\"", "If-None-Match: \"tag\""}));
}

TEST(NotModified, ComparesDatesToTheSecond) {
  const std::string name = "If-Modified-Since: ";
  EXPECT_TRUE(fresh({name + http_date(kNow)}));
  EXPECT_TRUE(fresh({name + http_date(kNow + 1)}));
  EXPECT_FALSE(fresh({name + http_date(kNow - 1)}));
}

TEST(NotModified, ATagGoesBeforeADate) {
  const std::string since = "If-Modified-Since: " + http_date(kNow);
  const std::string long_ago = "If-Modified-Since: " + http_date(0);
  EXPECT_FALSE(fresh({"If-None-Match: \"other\"", since}));
  EXPECT_TRUE(fresh({"If-None-Match: \"tag\"", long_ago}));
}

TEST(NotModified, IsFalseForABrokenRepeatedOrUselessDate) {
  const std::string since = "If-Modified-Since: " + http_date(kNow);
  EXPECT_FALSE(fresh({"If-Modified-Since: yesterday"}));
  EXPECT_FALSE(fresh({since, since}));
  EXPECT_FALSE(fresh({since}, kTag, 0)) << "unknown age";
}

// --- ranges ---

// "whole", "unsatisfiable", or "first+length"
std::string range_of(std::initializer_list<std::string_view> fields, std::uint64_t size = 100) {
  const Range range =
      requested_range(Request("GET / HTTP/1.0", fields).head, size, kTag, kNow, kNow);
  switch (range.kind) {
    case Range::Kind::Whole:
      EXPECT_EQ(range.first, 0U);
      EXPECT_EQ(range.length, size);
      return "whole";
    case Range::Kind::Unsatisfiable: return "unsatisfiable";
    case Range::Kind::Part:
      EXPECT_LE(range.length, size);
      EXPECT_LE(range.first, size - range.length);
      EXPECT_GT(range.length, 0U);
      return std::to_string(range.first) + "+" + std::to_string(range.length);
  }
  return "impossible";
}

struct RangeCase {
  std::string_view spec;
  std::string_view wanted;
};

TEST(RequestedRange, OfAHundredBytes) {
  constexpr RangeCase kCases[] = {
      {"bytes=0-0", "0+1"},
      {"bytes=0-99", "0+100"},
      {"bytes=0-", "0+100"},
      {"bytes=0-100", "0+100"},
      {"bytes=0-1000000", "0+100"},
      {"bytes=99-", "99+1"},
      {"bytes=99-99", "99+1"},
      {"bytes=98-200", "98+2"},
      {"bytes=5-9", "5+5"},
      {"bytes=007-0010", "7+4"},
      {"bytes=-1", "99+1"},
      {"bytes=-100", "0+100"},
      {"bytes=-101", "0+100"},
      {"bytes= 5-9 ", "5+5"},
      {"bytes=100-", "unsatisfiable"},
      {"bytes=100-200", "unsatisfiable"},
      {"bytes=18446744073709551615-", "unsatisfiable"},
      {"bytes=-0", "unsatisfiable"},
      {"bytes=0-18446744073709551615", "0+100"},
      {"bytes=-18446744073709551615", "0+100"},
      // several ranges, another unit, broken syntax: the whole
      {"bytes=0-0,5-5", "whole"},
      {"bytes=0-0,", "whole"},
      {"lines=0-1", "whole"},
      {"bytes", "whole"},
      {"bytes=", "whole"},
      {"bytes=-", "whole"},
      {"bytes=5", "whole"},
      {"bytes=9-5", "whole"},
      {"bytes=--5", "whole"},
      {"bytes=5--", "whole"},
      {"bytes=a-b", "whole"},
      {"bytes=5-b", "whole"},
      {"bytes=0x5-9", "whole"},
      {"bytes=+5-9", "whole"},
      {"bytes=5 - 9", "whole"},
      {"bytes=5-9 x", "whole"},
      {"bytes =5-9", "whole"},
      {"5-9", "whole"},
      {"", "whole"},
      // numbers over 64 bits: to ignore the field is allowed (RFC 9110 section 14.2), to wrap is not
      {"bytes=0-18446744073709551616", "whole"},
      {"bytes=18446744073709551616-", "whole"},
      {"bytes=-18446744073709551617", "whole"},
      {"bytes=99999999999999999999999-999999999999999999999999", "whole"},
  };
  for (const auto& [spec, wanted] : kCases) {
    EXPECT_EQ(range_of({"Range: " + std::string(spec)}), wanted) << spec;
  }
}

TEST(RequestedRange, IsWholeWithoutAFieldAndWithTwo) {
  EXPECT_EQ(range_of({}), "whole");
  EXPECT_EQ(range_of({"Range: bytes=0-0", "Range: bytes=1-1"}), "whole");
}

TEST(RequestedRange, OfNothingIsUnsatisfiable) {
  EXPECT_EQ(range_of({"Range: bytes=0-"}, 0), "unsatisfiable");
  EXPECT_EQ(range_of({"Range: bytes=0-0"}, 0), "unsatisfiable");
  EXPECT_EQ(range_of({"Range: bytes=-5"}, 0), "unsatisfiable");
  EXPECT_EQ(range_of({}, 0), "whole");
}

TEST(RequestedRange, OfTheLargestSize) {
  constexpr std::uint64_t kMax = 18446744073709551615U;
  EXPECT_EQ(range_of({"Range: bytes=0-"}, kMax), "0+18446744073709551615");
  EXPECT_EQ(range_of({"Range: bytes=18446744073709551614-"}, kMax), "18446744073709551614+1");
  EXPECT_EQ(range_of({"Range: bytes=-1"}, kMax), "18446744073709551614+1");
}

TEST(RequestedRange, IfRangeHasToMatchStrongly) {
  const std::string_view range = "Range: bytes=5-9";
  EXPECT_EQ(range_of({range, "If-Range: \"tag\""}), "5+5");
  EXPECT_EQ(range_of({range, "If-Range: " + http_date(kNow)}), "5+5");
  for (const std::string& condition :
       {std::string("\"other\""), std::string("W/\"tag\""), std::string("tag"), std::string("*"),
        std::string(), std::string("\"tag\", \"other\""), http_date(kNow - 1), http_date(kNow + 1),
        std::string("Sunday")}) {
    EXPECT_EQ(range_of({range, "If-Range: " + condition}), "whole") << condition;
  }
}

TEST(RequestedRange, AnIfRangeSentTwiceDoesNotMatch) {
  const std::string_view range = "Range: bytes=5-9";
  EXPECT_EQ(range_of({range, "If-Range: \"other\"", "If-Range: \"older\""}), "whole");
}

TEST(AddLine, PutsAFieldIntoAResponseThatIsMade) {
  std::string response = "HTTP/1.1 200 OK\r\nDate: now\r\n\r\nbody";
  add_line(response, "Name", "value");
  EXPECT_EQ(response, "HTTP/1.1 200 OK\r\nName: value\r\nDate: now\r\n\r\nbody");
}

}  // namespace
}  // namespace wsproxy::http

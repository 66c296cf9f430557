#include "web/page.h"

#include <gtest/gtest.h>

#include <string>

#include "support/builders.h"
#include "web/assets.h"

namespace wsproxy::web {
namespace {

using test::Request;

constexpr std::time_t kNow = 784111777;

constexpr std::string_view kPaths[] = {"/vnc.html", "/app.js", "/app.css", "/icon.svg",
                                       "/LICENSES.txt"};

Reply ask(std::string_view method, std::string_view path,
          std::initializer_list<std::string_view> fields = {}) {
  std::string text(method);
  text.append(" ").append(path).append(" HTTP/1.1\r\nHost: h\r\n");
  for (const std::string_view field : fields) text.append(field).append("\r\n");
  const Request request(text + "\r\n");
  EXPECT_EQ(request.status, 0);
  return answer_from_page({request.head, kNow}, "'self'");
}

// The value of a response field, or "(none)".
std::string field(const Reply& reply, std::string_view name) {
  const auto at = reply.head.find("\r\n" + std::string(name) + ": ");
  if (at == std::string::npos) return "(none)";
  const auto start = at + 2 + name.size() + 2;
  return reply.head.substr(start, reply.head.find("\r\n", start) - start);
}

TEST(Assets, AreFoundByPath) {
  for (const std::string_view path : kPaths) {
    const Asset* asset = find_asset(path);
    ASSERT_NE(asset, nullptr) << path;
    EXPECT_EQ(asset->path, path);
    EXPECT_FALSE(asset->plain.empty());
  }
  for (const std::string_view path : {"", "/x", "app.js", "/app.js/", "/App.js", "/../app.js"}) {
    EXPECT_EQ(find_asset(path), nullptr) << path;
  }
}

TEST(Assets, TheTopIsTheViewer) {
  EXPECT_EQ(find_asset("/"), find_asset("/vnc.html"));
  EXPECT_EQ(find_asset("/index.html"), find_asset("/vnc.html"));
}

TEST(Assets, GzipStandsForThePlainBytes) {
  for (const std::string_view path : kPaths) {
    const Asset* asset = find_asset(path);
    ASSERT_NE(asset, nullptr);
    ASSERT_GT(asset->gzip.size(), 18U) << path;
    EXPECT_EQ(asset->gzip[0], std::byte{0x1f}) << path;
    EXPECT_EQ(asset->gzip[1], std::byte{0x8b}) << path;
    // RFC 1952: the last four bytes are the length of what was packed, little-endian
    std::uint64_t size = 0;
    for (std::size_t i = 1; i <= 4; ++i) {
      size = size << 8 | std::to_integer<std::uint64_t>(asset->gzip[asset->gzip.size() - i]);
    }
    EXPECT_EQ(size, asset->plain.size()) << path;
    EXPECT_LT(asset->gzip.size(), asset->plain.size()) << path;
  }
}

TEST(Page, AnswersWithThePlainFile) {
  for (const std::string_view path : kPaths) {
    const Reply reply = ask("GET", path);
    const Asset* asset = find_asset(path);
    EXPECT_EQ(reply.status, 200);
    EXPECT_TRUE(reply.head.starts_with("HTTP/1.1 200 OK\r\n"));
    EXPECT_TRUE(reply.head.ends_with("\r\n\r\n"));
    EXPECT_EQ(field(reply, "Content-Type"), asset->content_type);
    EXPECT_EQ(field(reply, "Content-Length"), std::to_string(asset->plain.size()));
    EXPECT_EQ(field(reply, "Content-Encoding"), "(none)");
    EXPECT_EQ(field(reply, "ETag"), asset->etag);
    EXPECT_EQ(reply.body.data(), asset->plain.data());
    EXPECT_EQ(reply.body.size(), asset->plain.size());
    EXPECT_FALSE(reply.file);
    EXPECT_TRUE(reply.keep_alive);
  }
}

TEST(Page, AnswersWithGzipWhereItIsAccepted) {
  const Reply reply = ask("GET", "/app.js", {"Accept-Encoding: gzip, br"});
  const Asset* asset = find_asset("/app.js");
  EXPECT_EQ(field(reply, "Content-Encoding"), "gzip");
  EXPECT_EQ(field(reply, "Content-Length"), std::to_string(asset->gzip.size()));
  EXPECT_EQ(field(reply, "Content-Type"), asset->content_type);
  EXPECT_EQ(reply.body.data(), asset->gzip.data());
}

TEST(Page, TheTwoEncodingsHaveTagsOfTheirOwnAndVary) {
  const Reply plain = ask("GET", "/app.js");
  const Reply gzip = ask("GET", "/app.js", {"Accept-Encoding: gzip"});
  EXPECT_NE(field(plain, "ETag"), field(gzip, "ETag"));
  for (const Reply* reply : {&plain, &gzip}) {
    const std::string etag = field(*reply, "ETag");
    EXPECT_TRUE(etag.size() > 2 && etag.starts_with('"') && etag.ends_with('"')) << etag;
    EXPECT_EQ(field(*reply, "Vary"), "Accept-Encoding");
    EXPECT_EQ(field(*reply, "Cache-Control"), "no-cache");
  }
}

TEST(Page, IsNotModifiedForItsTag) {
  for (const std::string_view encoding : {"gzip", "identity"}) {
    const std::string accept = "Accept-Encoding: " + std::string(encoding);
    const std::string etag = field(ask("GET", "/app.css", {accept}), "ETag");
    const std::string condition = "If-None-Match: " + etag;
    const Reply reply = ask("GET", "/app.css", {accept, condition});
    EXPECT_EQ(reply.status, 304);
    EXPECT_TRUE(reply.head.starts_with("HTTP/1.1 304 Not Modified\r\n"));
    EXPECT_TRUE(reply.body.empty());
    EXPECT_EQ(field(reply, "ETag"), etag);
    EXPECT_EQ(field(reply, "Content-Length"), "(none)");
  }
}

TEST(Page, TheTagOfTheOtherEncodingOrFileDoesNotMatch) {
  const std::string plain = "If-None-Match: " + field(ask("GET", "/app.js"), "ETag");
  EXPECT_EQ(ask("GET", "/app.js", {plain, "Accept-Encoding: gzip"}).status, 200);
  EXPECT_EQ(ask("GET", "/app.css", {plain}).status, 200);
}

TEST(Page, ToHeadHasTheSameHeadWithoutTheBody) {
  const Reply get = ask("GET", "/app.js");
  const Reply head = ask("HEAD", "/app.js");
  EXPECT_EQ(head.head, get.head);
  EXPECT_TRUE(head.body.empty());
  EXPECT_FALSE(get.body.empty());
}

TEST(Page, HasAPolicy) {
  const Reply reply = ask("GET", "/");
  const std::string policy = field(reply, "Content-Security-Policy");
  EXPECT_TRUE(policy.starts_with("default-src 'none'; script-src 'self';")) << policy;
  EXPECT_EQ(policy.find("unsafe"), std::string::npos);
  EXPECT_NE(policy.find("connect-src 'self' ws: wss:"), std::string::npos);
  EXPECT_NE(policy.find("base-uri 'none'"), std::string::npos);
  EXPECT_EQ(field(reply, "X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(field(reply, "Referrer-Policy"), "no-referrer");
}

TEST(Page, IgnoresTheQuery) {
  EXPECT_EQ(ask("GET", "/?host=x&password=y").status, 200);
  EXPECT_EQ(ask("GET", "/app.js?v=2").status, 200);
}

TEST(Page, IsNotFoundElsewhere) {
  for (const std::string_view path : {"/nothing", "/app.js/", "/%61pp.js", "//app.js"}) {
    const Reply reply = ask("GET", path);
    EXPECT_EQ(reply.status, 404) << path;
    EXPECT_TRUE(reply.head.starts_with("HTTP/1.1 404 Not Found\r\n"));
    EXPECT_TRUE(reply.head.ends_with("404 Not Found\n"));
    EXPECT_TRUE(reply.keep_alive);
  }
  EXPECT_TRUE(ask("HEAD", "/nothing").head.ends_with("\r\n\r\n"));
}

TEST(Page, ClosesWhenTheClientWantsTo) {
  for (const std::string_view path : {"/", "/nothing"}) {
    const Reply reply = ask("GET", path, {"Connection: close"});
    EXPECT_FALSE(reply.keep_alive);
    EXPECT_EQ(field(reply, "Connection"), "close");
    EXPECT_EQ(field(ask("GET", path), "Connection"), "(none)");
  }
}

TEST(Page, NamesWhoMayEmbedIt) {
  const Reply reply = ask("GET", "/");
  EXPECT_NE(reply.head.find("; frame-ancestors 'self'\r\n"), std::string::npos) << reply.head;
}

TEST(Page, ASourceListIsNothingElse) {
  for (const std::string_view good : {"*", "'none'", "'self' https://portal.example:8443"}) {
    EXPECT_TRUE(is_source_list(good)) << good;
  }
  for (const std::string_view bad : {"", "'self'; script-src *", "a, b", "a\r\nX: y", "\xc3\xa4"}) {
    EXPECT_FALSE(is_source_list(bad)) << bad;
  }
}

TEST(Page, AFailedPreconditionIs412) {
  const Reply reply = ask("GET", "/", {"If-Match: \"other\""});
  EXPECT_EQ(reply.status, 412);
  EXPECT_TRUE(reply.body.empty());
  EXPECT_EQ(ask("GET", "/", {"If-Match: " + field(ask("GET", "/"), "ETag")}).status, 200);
}

}  // namespace
}  // namespace wsproxy::web

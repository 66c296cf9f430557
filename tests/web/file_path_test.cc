#include "web/file_path.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace wsproxy::web {
namespace {

TEST(FilePath, GivesThePathInsideTheDirectory) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"/", ""},
      {"/a", "a"},
      {"/a/b.js", "a/b.js"},
      {"/a/", "a/"},
      {"/a%20b", "a b"},
      {"/%61%62", "ab"},
      {"/a+b", "a+b"},
      {"/%25", "%"},
      {"/%252e%252e", "%2e%2e"},
      {"/a..b/c..", "a..b/c.."},
      {"/a.", "a."},
      {"/.well-known/x", ".well-known/x"},
      {"/%2ewell-known/x", ".well-known/x"},
      {"/\xc3\xa9", "\xc3\xa9"},
      {"/%c3%a9", "\xc3\xa9"},
      {"/~a;b=c,d", "~a;b=c,d"},
  };
  for (const auto& [request, path] : cases) EXPECT_EQ(file_path(request), path) << request;
}

TEST(FilePath, RefusesWhatCouldLeadOut) {
  for (const std::string_view request : {"/..",
                                         "/../",
                                         "/../etc/passwd",
                                         "/a/../b",
                                         "/a/..",
                                         "/a/../../b",
                                         "/.",
                                         "/./a",
                                         "/a/./b",
                                         "/%2e",
                                         "/%2e%2e",
                                         "/%2E%2E/x",
                                         "/.%2e/x",
                                         "/%2e./x",
                                         "/...",
                                         "/..%2fetc",
                                         "/a%2f..%2fb",
                                         "/a%2Fb",
                                         "/%2fetc/passwd",
                                         "//etc/passwd",
                                         "//",
                                         "/a//b",
                                         "/a//",
                                         "/..\\a",
                                         "/a\\b",
                                         "/a%5cb",
                                         "/a%5Cb",
                                         "/\\"}) {
    EXPECT_FALSE(file_path(request)) << request;
  }
}

TEST(FilePath, RefusesHiddenNames) {
  for (const std::string_view request :
       {"/.git/config", "/.htaccess", "/a/.env", "/%2egit", "/.well-known2/x", "/.well-know",
        "/.WELL-KNOWN/x", "/.well-known/.x", "/.."}) {
    EXPECT_FALSE(file_path(request)) << request;
  }
}

TEST(FilePath, RefusesControlBytesAndBrokenEncoding) {
  for (const std::string_view request :
       {"/a%00", "/%00", "/a%0ab", "/a%1f", "/a%7f", "/a%", "/a%2", "/%zz", "/a%2/b", "/a%-1"}) {
    EXPECT_FALSE(file_path(request)) << request;
  }
}

TEST(FilePath, RefusesWhatIsNoPath) {
  for (const std::string_view request : {"", "*", "a", "a/b", "http://h/"}) {
    EXPECT_FALSE(file_path(request)) << request;
  }
}

TEST(ContentType, BelongsToTheEndingInAnyCase) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"index.html", "text/html; charset=utf-8"},
      {"app.js", "text/javascript; charset=utf-8"},
      {"a/b.mjs", "text/javascript; charset=utf-8"},
      {"A.CSS", "text/css; charset=utf-8"},
      {"x.tar.gz", "application/gzip"},
      {"icon.SvG", "image/svg+xml"},
      {"f.woff2", "font/woff2"},
      {"bell.oga", "audio/ogg"},
      {"m.json", "application/json"},
      {"core.wasm", "application/wasm"},
      {"README", "application/octet-stream"},
      {"html", "application/octet-stream"},
      {"x.", "application/octet-stream"},
      {"x.htmlx", "application/octet-stream"},
      {"", "application/octet-stream"},
  };
  for (const auto& [name, type] : cases) EXPECT_EQ(content_type(name), type) << name;
}

}  // namespace
}  // namespace wsproxy::web

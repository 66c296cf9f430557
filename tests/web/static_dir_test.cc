#include "web/static_dir.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "http/response.h"
#include "support/builders.h"

namespace wsproxy::web {
namespace {

using test::Request;

constexpr std::time_t kNow = 1'700'000'000;
constexpr std::time_t kModified = 1'600'000'000;

// A directory that goes away with the test. The files to serve are in www/.
class Site {
 public:
  Site() {
    std::string name = std::filesystem::temp_directory_path() / "wsproxy-web-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    root_ = name;
    std::filesystem::create_directory(root_ / "www");
  }
  ~Site() { std::filesystem::remove_all(root_); }
  Site(const Site&) = delete;
  Site& operator=(const Site&) = delete;

  [[nodiscard]] std::filesystem::path www() const { return root_ / "www"; }

  // `name` below www/, or beside it with "../".
  void write(const std::string& name, std::string_view text) const {
    const auto path = www() / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
    const timespec times[2] = {{kModified, 0}, {kModified, 5}};
    ::utimensat(AT_FDCWD, path.c_str(), times, 0);
  }
  void link(const std::string& name, const std::string& to) const {
    std::filesystem::create_directories((www() / name).parent_path());
    std::filesystem::create_symlink(to, www() / name);
  }

  [[nodiscard]] Reply ask(std::string_view method, std::string_view path,
                          std::initializer_list<std::string_view> fields = {}) const {
    const auto dir = StaticDir::open(www());
    if (!dir) {
      ADD_FAILURE() << dir.error().message();
      return {};
    }
    std::string text(method);
    text.append(" ").append(path).append(" HTTP/1.1\r\nHost: h\r\n");
    for (const std::string_view field : fields) text.append(field).append("\r\n");
    const Request request(text + "\r\n");
    EXPECT_EQ(request.status, 0) << path;
    return dir->answer({request.head, kNow});
  }
  [[nodiscard]] Reply get(std::string_view path,
                          std::initializer_list<std::string_view> fields = {}) const {
    return ask("GET", path, fields);
  }

 private:
  std::filesystem::path root_;
};

std::string field(const Reply& reply, std::string_view name) {
  const auto at = reply.head.find("\r\n" + std::string(name) + ": ");
  if (at == std::string::npos) return "(none)";
  const auto start = at + 2 + name.size() + 2;
  return reply.head.substr(start, reply.head.find("\r\n", start) - start);
}

// The bytes that the reply wants sent from its file.
std::string content(const Reply& reply) {
  if (!reply.file) return "";
  std::string text(reply.file_bytes, '\0');
  const ssize_t n =
      ::pread(reply.file.get(), text.data(), text.size(), static_cast<off_t>(reply.offset));
  text.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
  return text;
}

TEST(StaticDir, ServesAFile) {
  const Site site;
  site.write("core/rfb.js", "let x = 1;");
  const Reply reply = site.get("/core/rfb.js");
  EXPECT_EQ(reply.status, 200);
  EXPECT_TRUE(reply.head.starts_with("HTTP/1.1 200 OK\r\n"));
  EXPECT_TRUE(reply.head.ends_with("\r\n\r\n"));
  EXPECT_EQ(field(reply, "Content-Type"), "text/javascript; charset=utf-8");
  EXPECT_EQ(field(reply, "Content-Length"), "10");
  EXPECT_EQ(field(reply, "Last-Modified"), http::http_date(kModified));
  EXPECT_EQ(field(reply, "Accept-Ranges"), "bytes");
  EXPECT_EQ(field(reply, "Vary"), "Accept-Encoding");
  EXPECT_EQ(field(reply, "Content-Encoding"), "(none)");
  EXPECT_EQ(content(reply), "let x = 1;");
  EXPECT_TRUE(reply.keep_alive);
  EXPECT_TRUE(reply.body.empty());
}

TEST(StaticDir, TheFileIsClosedOnExec) {
  const Site site;
  site.write("a.txt", "x");
  const Reply reply = site.get("/a.txt");
  EXPECT_NE(::fcntl(reply.file.get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST(StaticDir, TheTopIsIndexHtml) {
  const Site site;
  site.write("index.html", "index");
  site.write("vnc.html", "vnc");
  EXPECT_EQ(content(site.get("/")), "index");
  EXPECT_EQ(field(site.get("/"), "Content-Type"), "text/html; charset=utf-8");
}

TEST(StaticDir, TheTopIsVncHtmlWhereThereIsNoIndex) {
  const Site site;
  site.write("vnc.html", "vnc");
  EXPECT_EQ(content(site.get("/")), "vnc");
  EXPECT_EQ(content(site.get("/?host=x")), "vnc");
}

TEST(StaticDir, TheTopOfAnEmptyDirectoryIsNotFound) {
  const Site site;
  EXPECT_EQ(site.get("/").status, 404);
}

TEST(StaticDir, ADirectoryWithASlashIsItsIndex) {
  const Site site;
  site.write("sub/index.html", "sub");
  site.write("other/vnc.html", "not taken here");
  EXPECT_EQ(content(site.get("/sub/")), "sub");
  EXPECT_EQ(site.get("/other/").status, 404);
}

TEST(StaticDir, ADirectoryIsNeverListedNorRedirected) {
  const Site site;
  site.write("sub/secret.txt", "x");
  const Reply without = site.get("/sub");
  EXPECT_EQ(without.status, 404);
  EXPECT_NE(without.head.find("A directory's address ends with a slash."), std::string::npos);
  const Reply with = site.get("/sub/");
  EXPECT_EQ(with.status, 404);
  EXPECT_EQ(with.head.find("secret"), std::string::npos);
}

TEST(StaticDir, WhatIsNotThereIsNotFound) {
  const Site site;
  site.write("file", "x");
  for (const std::string_view path : {"/nothing", "/file/x", "/no/where", "/file/"}) {
    EXPECT_EQ(site.get(path).status, 404) << path;
  }
  EXPECT_EQ(site.get("/" + std::string(3000, 'x')).status, 404) << "a name too long for any file";
}

TEST(StaticDir, NothingOutsideIsServed) {
  const Site site;
  site.write("index.html", "x");
  site.write("../outside.txt", "secret");
  for (const std::string_view path : {"/../outside.txt", "/%2e%2e/outside.txt", "/..%2foutside.txt",
                                      "/x/../../outside.txt", "//etc/passwd", "/%2fetc/passwd"}) {
    EXPECT_EQ(site.get(path).status, 404) << path;
  }
}

TEST(StaticDir, ASymbolicLinkThatLeadsOutIsNotFound) {
  const Site site;
  site.write("../outside.txt", "secret");
  std::filesystem::create_directory(site.www().parent_path() / "beside");
  site.link("up.txt", "../outside.txt");
  site.link("dir", "..");
  site.link("deep/up.txt", "../../outside.txt");
  site.link("hop.txt", "up.txt");
  for (const std::string_view path :
       {"/up.txt", "/dir/outside.txt", "/deep/up.txt", "/hop.txt", "/dir/beside/"}) {
    EXPECT_EQ(site.get(path).status, 404) << path;
  }
}

TEST(StaticDir, AnAbsoluteSymbolicLinkIsNotFoundWhereverItLeads) {
  const Site site;
  site.write("inside.txt", "x");
  site.link("passwd", "/etc/passwd");
  site.link("absolute.txt", (site.www() / "inside.txt").string());
  site.link("root", "/");
  EXPECT_EQ(site.get("/passwd").status, 404);
  EXPECT_EQ(site.get("/absolute.txt").status, 404);
  EXPECT_EQ(site.get("/root/etc/passwd").status, 404);
}

TEST(StaticDir, ASymbolicLinkThatStaysInsideIsFollowed) {
  const Site site;
  site.write("real/file.txt", "inside");
  site.link("link.txt", "real/file.txt");
  site.link("real/back.txt", "../real/file.txt");
  site.link("dir", "real");
  EXPECT_EQ(content(site.get("/link.txt")), "inside");
  EXPECT_EQ(content(site.get("/real/back.txt")), "inside");
  EXPECT_EQ(content(site.get("/dir/file.txt")), "inside");
}

TEST(StaticDir, ALoopOfLinksIsNotFound) {
  const Site site;
  site.link("a", "b");
  site.link("b", "a");
  EXPECT_EQ(site.get("/a").status, 404);
}

TEST(StaticDir, AProcLinkLeadsNowhere) {
  const Site site;
  site.link("fd", "/proc/self/fd");
  EXPECT_EQ(site.get("/fd/0").status, 404);
}

TEST(StaticDir, AFifoIsNotServedAndDoesNotHoldUsUp) {
  const Site site;
  ASSERT_EQ(::mkfifo((site.www() / "fifo").c_str(), 0644), 0);
  const Reply reply = site.get("/fifo");
  EXPECT_EQ(reply.status, 403);
  EXPECT_FALSE(reply.file);
}

TEST(StaticDir, AFileWithoutReadPermissionIsForbidden) {
  const Site site;
  site.write("a.txt", "x");
  ::chmod((site.www() / "a.txt").c_str(), 0);
  constexpr uid_t kNobody = 65534;
  const bool root = ::geteuid() == 0;  // reads everything, so somebody else asks
  ::chmod(site.www().parent_path().c_str(), 0755);
  ASSERT_TRUE(!root || ::seteuid(kNobody) == 0);
  const int status = site.get("/a.txt").status;
  ASSERT_TRUE(!root || ::seteuid(0) == 0);
  EXPECT_EQ(status, 403);
}

TEST(StaticDir, HiddenNamesAreNotFoundButWellKnownIs) {
  const Site site;
  site.write(".htpasswd", "x");
  site.write(".git/config", "x");
  site.write(".well-known/security.txt", "contact");
  EXPECT_EQ(site.get("/.htpasswd").status, 404);
  EXPECT_EQ(site.get("/.git/config").status, 404);
  EXPECT_EQ(content(site.get("/.well-known/security.txt")), "contact");
}

TEST(StaticDir, AnEncodedNameIsDecodedOnce) {
  const Site site;
  site.write("a b%20.txt", "found");
  EXPECT_EQ(content(site.get("/a%20b%2520.txt")), "found");
}

TEST(StaticDir, AnEmptyFileHasNoBody) {
  const Site site;
  site.write("empty.js", "");
  const Reply reply = site.get("/empty.js");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(field(reply, "Content-Length"), "0");
  EXPECT_EQ(reply.file_bytes, 0U);
}

TEST(StaticDir, ToHeadHasTheSameHeadWithoutTheFile) {
  const Site site;
  site.write("a.txt", "text");
  const Reply get = site.get("/a.txt");
  const Reply head = site.ask("HEAD", "/a.txt");
  EXPECT_EQ(head.head, get.head);
  EXPECT_FALSE(head.file);
  EXPECT_EQ(head.file_bytes, 0U);
  EXPECT_TRUE(site.ask("HEAD", "/nothing").head.ends_with("\r\n\r\n"));
}

TEST(StaticDir, ClosesWhenTheClientWantsTo) {
  const Site site;
  site.write("a.txt", "text");
  const Reply reply = site.get("/a.txt", {"Connection: close"});
  EXPECT_FALSE(reply.keep_alive);
  EXPECT_EQ(field(reply, "Connection"), "close");
  EXPECT_FALSE(site.get("/nothing", {"Connection: close"}).keep_alive);
}

// --- ranges ---

TEST(StaticDirRange, SendsTheBytesAskedFor) {
  const Site site;
  site.write("a.txt", "0123456789");
  const std::array<std::array<std::string_view, 3>, 5> cases = {{
      {"bytes=2-5", "2345", "bytes 2-5/10"},
      {"bytes=0-0", "0", "bytes 0-0/10"},
      {"bytes=7-", "789", "bytes 7-9/10"},
      {"bytes=-4", "6789", "bytes 6-9/10"},
      {"bytes=8-99", "89", "bytes 8-9/10"},
  }};
  for (const auto& [range, text, content_range] : cases) {
    const Reply reply = site.get("/a.txt", {"Range: " + std::string(range)});
    EXPECT_EQ(reply.status, 206) << range;
    EXPECT_EQ(content(reply), text) << range;
    EXPECT_EQ(field(reply, "Content-Length"), std::to_string(text.size())) << range;
    EXPECT_EQ(field(reply, "Content-Range"), content_range) << range;
  }
}

TEST(StaticDirRange, OutsideTheFileIsNotSatisfiable) {
  const Site site;
  site.write("a.txt", "0123456789");
  for (const std::string_view range : {"bytes=10-", "bytes=10-20", "bytes=-0"}) {
    const Reply reply = site.get("/a.txt", {"Range: " + std::string(range)});
    EXPECT_EQ(reply.status, 416) << range;
    EXPECT_EQ(field(reply, "Content-Range"), "bytes */10") << range;
    EXPECT_FALSE(reply.file);
  }
}

TEST(StaticDirRange, IsForGetOnly) {
  const Site site;
  site.write("a.txt", "0123456789");
  const Reply reply = site.ask("HEAD", "/a.txt", {"Range: bytes=2-5"});
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(field(reply, "Content-Length"), "10");
  EXPECT_EQ(field(reply, "Content-Range"), "(none)");
}

TEST(StaticDirRange, IfRangeDecidesBetweenPartAndWhole) {
  const Site site;
  site.write("a.txt", "0123456789");
  const std::string etag = field(site.get("/a.txt"), "ETag");
  const std::string_view range = "Range: bytes=2-5";
  EXPECT_EQ(site.get("/a.txt", {range, "If-Range: " + etag}).status, 206);
  EXPECT_EQ(site.get("/a.txt", {range, "If-Range: " + http::http_date(kModified)}).status, 206);
  EXPECT_EQ(site.get("/a.txt", {range, "If-Range: \"old\""}).status, 200);
  EXPECT_EQ(content(site.get("/a.txt", {range, "If-Range: \"old\""})), "0123456789");
}

// --- conditions ---

TEST(StaticDirCondition, IsNotModifiedByTag) {
  const Site site;
  site.write("a.txt", "text");
  const std::string etag = field(site.get("/a.txt"), "ETag");
  EXPECT_TRUE(etag.size() > 2 && etag.starts_with('"') && etag.ends_with('"')) << etag;
  for (const std::string& condition : {etag, "W/" + etag, "\"x\", " + etag, std::string("*")}) {
    const Reply reply = site.get("/a.txt", {"If-None-Match: " + condition});
    EXPECT_EQ(reply.status, 304) << condition;
    EXPECT_EQ(field(reply, "ETag"), etag);
    EXPECT_EQ(field(reply, "Content-Length"), "(none)");
    EXPECT_FALSE(reply.file);
  }
  EXPECT_EQ(site.get("/a.txt", {"If-None-Match: \"x\""}).status, 200);
}

TEST(StaticDirCondition, IsNotModifiedByDate) {
  const Site site;
  site.write("a.txt", "text");
  const std::string name = "If-Modified-Since: ";
  EXPECT_EQ(site.get("/a.txt", {name + http::http_date(kModified)}).status, 304);
  EXPECT_EQ(site.get("/a.txt", {name + http::http_date(kModified - 1)}).status, 200);
}

TEST(StaticDirCondition, GoesBeforeARange) {
  // RFC 9110 section 13.2.2
  const Site site;
  site.write("a.txt", "0123456789");
  const std::string etag = field(site.get("/a.txt"), "ETag");
  EXPECT_EQ(site.get("/a.txt", {"If-None-Match: " + etag, "Range: bytes=2-5"}).status, 304);
  EXPECT_EQ(site.get("/a.txt", {"If-None-Match: " + etag, "Range: bytes=50-"}).status, 304);
}

TEST(StaticDirCondition, TheTagChangesWithTheFile) {
  const Site site;
  site.write("a.txt", "text");
  const std::string before = field(site.get("/a.txt"), "ETag");
  EXPECT_EQ(field(site.get("/a.txt"), "ETag"), before);
  const timespec later[2] = {{kModified, 0}, {kModified, 6}};
  ::utimensat(AT_FDCWD, (site.www() / "a.txt").c_str(), later, 0);
  EXPECT_NE(field(site.get("/a.txt"), "ETag"), before);
}

// --- packed variants ---

TEST(StaticDirGzip, StandsInWhereItIsAccepted) {
  const Site site;
  site.write("app.js", "plain");
  site.write("app.js.gz", "packed!");
  const Reply packed = site.get("/app.js", {"Accept-Encoding: gzip"});
  EXPECT_EQ(packed.status, 200);
  EXPECT_EQ(content(packed), "packed!");
  EXPECT_EQ(field(packed, "Content-Encoding"), "gzip");
  EXPECT_EQ(field(packed, "Content-Type"), "text/javascript; charset=utf-8");
  EXPECT_EQ(field(packed, "Content-Length"), "7");
  const Reply plain = site.get("/app.js");
  EXPECT_EQ(content(plain), "plain");
  EXPECT_EQ(field(plain, "Content-Encoding"), "(none)");
  EXPECT_NE(field(plain, "ETag"), field(packed, "ETag"));
  EXPECT_EQ(field(plain, "Vary"), "Accept-Encoding");
  EXPECT_EQ(field(packed, "Vary"), "Accept-Encoding");
}

TEST(StaticDirGzip, IsLeftAsideForARange) {
  const Site site;
  site.write("app.js", "plain");
  site.write("app.js.gz", "packed!");
  const Reply reply = site.get("/app.js", {"Accept-Encoding: gzip", "Range: bytes=1-2"});
  EXPECT_EQ(reply.status, 206);
  EXPECT_EQ(content(reply), "la");
  EXPECT_EQ(field(reply, "Content-Encoding"), "(none)");
}

TEST(StaticDirGzip, NeedsThePlainFileBesideIt) {
  const Site site;
  site.write("app.js.gz", "packed!");
  EXPECT_EQ(site.get("/app.js", {"Accept-Encoding: gzip"}).status, 404);
}

TEST(StaticDirGzip, ByItsOwnNameIsAnOrdinaryFile) {
  const Site site;
  site.write("app.js.gz", "packed!");
  const Reply reply = site.get("/app.js.gz", {"Accept-Encoding: gzip"});
  EXPECT_EQ(field(reply, "Content-Type"), "application/gzip");
  EXPECT_EQ(field(reply, "Content-Encoding"), "(none)");
}

TEST(StaticDirGzip, OfTheIndexCountsToo) {
  const Site site;
  site.write("index.html", "plain");
  site.write("index.html.gz", "packed");
  EXPECT_EQ(content(site.get("/", {"Accept-Encoding: gzip"})), "packed");
}

TEST(StaticDirGzip, ThatLeadsOutIsLeftAside) {
  const Site site;
  site.write("app.js", "plain");
  site.write("../outside.gz", "secret");
  site.link("app.js.gz", "../outside.gz");
  EXPECT_EQ(content(site.get("/app.js", {"Accept-Encoding: gzip"})), "plain");
}

// --- opening ---

TEST(StaticDir, OpeningNothingNamesTheDirectory) {
  const Site site;
  const std::string path = site.www() / "missing";
  const auto dir = StaticDir::open(path);
  ASSERT_FALSE(dir);
  EXPECT_EQ(dir.error().code, Errc::Io);
  EXPECT_EQ(dir.error().sys, ENOENT);
  EXPECT_EQ(dir.error().message(), "web directory " + path + ": no such file or directory");
}

TEST(StaticDir, OpeningAFileFails) {
  const Site site;
  site.write("file", "x");
  const auto dir = StaticDir::open(site.www() / "file");
  ASSERT_FALSE(dir);
  EXPECT_EQ(dir.error().sys, ENOTDIR);
}

TEST(StaticDir, OpeningThroughALinkIsTheOperatorsChoice) {
  const Site site;
  site.write("index.html", "x");
  std::filesystem::create_symlink(site.www(), site.www().parent_path() / "link");
  EXPECT_TRUE(StaticDir::open(site.www().parent_path() / "link"));
}

}  // namespace
}  // namespace wsproxy::web

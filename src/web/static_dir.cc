#include "web/static_dir.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <expected>
#include <utility>

#include "http/response.h"
#include "web/file_path.h"

namespace wsproxy::web {
namespace {

struct OpenFile {
  UniqueFd fd;
  struct stat info{};
};

// Opens a regular file beneath `dir`; the error is an errno. O_NONBLOCK keeps a FIFO from holding us up
// before we see what it is.
std::expected<OpenFile, int> open_beneath(int dir, const std::string& path) {
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  long fd = -1;
  // EAGAIN: something was renamed on the way and the kernel could not be sure (openat2(2))
  for (int attempt = 0; attempt < 3; ++attempt) {
    fd = ::syscall(SYS_openat2, dir, path.c_str(), &how, sizeof how);
    if (fd >= 0 || errno != EAGAIN) break;
  }
  if (fd < 0) return std::unexpected(errno);
  OpenFile file{UniqueFd(static_cast<int>(fd)), {}};
  if (::fstat(file.fd.get(), &file.info) != 0) return std::unexpected(errno);
  if (!S_ISREG(file.info.st_mode)) {
    return std::unexpected(S_ISDIR(file.info.st_mode) ? EISDIR : EACCES);
  }
  return file;
}

std::string etag_of(const struct stat& info) {
  std::array<char, 80> text{};
  std::snprintf(text.data(), text.size(), "\"%llx-%llx-%llx\"",
                static_cast<unsigned long long>(info.st_ino),
                static_cast<unsigned long long>(info.st_size),
                static_cast<unsigned long long>(info.st_mtim.tv_sec) * 1000000000ULL +
                    static_cast<unsigned long long>(info.st_mtim.tv_nsec));
  return text.data();
}

Reply failure(const Asked& asked, int error) {
  switch (error) {
    case EACCES:
    case EPERM: return plain_reply(asked, 403, "");
    case EMFILE:
    case ENFILE:
    case ENOMEM: return plain_reply(asked, 503, "", "Retry-After: 1\r\n");
    case EISDIR: return plain_reply(asked, 404, "A directory's address ends with a slash.");
    default: return plain_reply(asked, 404, "");
  }
}

Reply file_reply(const Asked& asked, OpenFile file, std::string_view type, bool gzip) {
  const std::string etag = etag_of(file.info);
  const std::time_t modified = file.info.st_mtim.tv_sec;
  const auto size = static_cast<std::uint64_t>(file.info.st_size);
  if (http::precondition_fails(asked.head, etag, modified, asked.now)) {
    return plain_reply(asked, 412, "");
  }
  Reply reply;
  reply.keep_alive = asked.head.keeps_alive();
  http::Range range{http::Range::Kind::Whole, 0, size};
  if (asked.head.method == "GET")
    range = http::requested_range(asked.head, size, etag, modified, asked.now);
  reply.status = range.kind == http::Range::Kind::Part ? 206 : 200;
  if (http::not_modified(asked.head, etag, modified, asked.now)) {
    reply.status = 304;
  } else if (range.kind == http::Range::Kind::Unsatisfiable) {
    return plain_reply(asked, 416, "", "Content-Range: bytes */" + std::to_string(size) + "\r\n");
  }

  http::ResponseHead head(reply.status, asked.now);
  head.add("ETag", etag)
      .add("Last-Modified", http::http_date(modified))
      .add("Cache-Control", "no-cache")
      .add("Vary", "Accept-Encoding");
  if (!reply.keep_alive) head.add("Connection", "close");
  if (reply.status != 304) {
    head.add("Content-Type", type)
        .add("X-Content-Type-Options", "nosniff")
        .add("Content-Length", range.length)
        .add("Accept-Ranges", "bytes");
    if (gzip) head.add("Content-Encoding", "gzip");
    if (reply.status == 206) {
      head.add("Content-Range", "bytes " + std::to_string(range.first) + "-" +
                                    std::to_string(range.first + range.length - 1) + "/" +
                                    std::to_string(size));
    }
    if (!asked.head_only() && range.length > 0) {
      reply.file = std::move(file.fd);
      reply.offset = range.first;
      reply.file_bytes = range.length;
    }
  }
  reply.head = head.str();
  return reply;
}

}  // namespace

Result<StaticDir> StaticDir::open(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return fail(Errc::Io, "web directory " + path, errno);
  // found out now rather than by the first visitor: no right to enter, or a kernel before 5.6
  if (::faccessat(fd.get(), ".", R_OK | X_OK, AT_EACCESS) != 0) {
    return fail(Errc::Io, "web directory " + path, errno);
  }
  const auto top = open_beneath(fd.get(), ".");
  if (!top && top.error() != EISDIR) {
    return fail(Errc::Io, "web directory " + path + ": openat2", top.error());
  }
  return StaticDir(std::move(fd));
}

Reply StaticDir::answer(const Asked& asked) const {
  auto path = file_path(asked.head.path);
  if (!path) return plain_reply(asked, 404, "");
  const bool directory = path->empty() || path->ends_with('/');
  if (directory) *path += "index.html";
  auto file = open_beneath(fd_.get(), *path);
  if (!file && file.error() == ENOENT && *path == "index.html") {
    *path = "vnc.html";  // noVNC's own tree has no index.html
    file = open_beneath(fd_.get(), *path);
  }
  if (!file) return failure(asked, file.error());
  const std::string_view type = content_type(*path);
  if (http::accepts_gzip(asked.head) && asked.head.count("range") == 0) {
    if (auto packed = open_beneath(fd_.get(), *path + ".gz")) {
      return file_reply(asked, std::move(*packed), type, true);
    }
  }
  return file_reply(asked, std::move(*file), type, false);
}

}  // namespace wsproxy::web

#include "tls/secret.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/unique_fd.h"

namespace wsproxy::tls {
namespace {

constexpr std::size_t kMaxPassword = 1024;  // OpenSSL's own limit (PEM_BUFSIZE)

}  // namespace

void Secret::wipe() {
  if (!bytes_.empty()) OPENSSL_cleanse(bytes_.data(), bytes_.size());
}

Result<PasswordFile> read_password_file(const std::string& path) {
  const auto failed = [&](const char* why, int error = 0) {
    return fail(error == 0 ? Errc::Invalid : Errc::Io, "password file " + path + why, error);
  };
  // a named pipe without a writer must not hold us up
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return failed("", errno);
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return failed("", errno);
  if (!S_ISREG(status.st_mode)) return failed(" is not a regular file");

  std::array<char, kMaxPassword + 3> text{};  // a line end, and one more to see that it is too long
  std::size_t size = 0;
  ssize_t got = 0;
  while (size < text.size() &&
         (got = ::read(fd.get(), text.data() + size, text.size() - size)) > 0) {
    size += static_cast<std::size_t>(got);
  }
  const int error = got < 0 ? errno : 0;
  std::string_view line(text.data(), size);
  line = line.substr(0, line.find('\n'));
  if (line.ends_with('\r')) line.remove_suffix(1);
  PasswordFile result{Secret(line), ""};
  OPENSSL_cleanse(text.data(), text.size());
  if (error != 0) return failed("", error);
  if (result.password.empty()) return failed(" has no password in its first line");
  if (result.password.view().size() > kMaxPassword) {
    return failed(": the first line is longer than a password may be (1024 bytes)");
  }
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    result.warning = "password file " + path + " is open to others than its owner: chmod 600";
  }
  return result;
}

}  // namespace wsproxy::tls

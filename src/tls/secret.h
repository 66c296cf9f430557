// A password, kept no longer than it is needed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace wsproxy::tls {

/// Its bytes are overwritten when it dies or is assigned to, and moving leaves no copy behind (a
/// std::string would, in its short form). Never logged: there is no way to print it.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string_view text) : bytes_(text.begin(), text.end()) {}
  Secret(const Secret&) = default;
  Secret(Secret&& other) noexcept : bytes_(std::move(other.bytes_)) {}
  Secret& operator=(Secret other) noexcept {
    bytes_.swap(other.bytes_);
    return *this;
  }
  ~Secret() { wipe(); }

  [[nodiscard]] bool empty() const { return bytes_.empty(); }
  [[nodiscard]] std::string_view view() const { return {bytes_.data(), bytes_.size()}; }

 private:
  void wipe();

  std::vector<char> bytes_;
};

struct PasswordFile {
  Secret password;
  std::string warning;  ///< for the log; empty if there is nothing to say
};

/// The first line of `path` without its line end (LF or CR LF). Warns when others than its owner may
/// read or write the file.
/// Errors name the file: not there, not a regular file, no password in it, over 1,024 bytes.
Result<PasswordFile> read_password_file(const std::string& path);

}  // namespace wsproxy::tls

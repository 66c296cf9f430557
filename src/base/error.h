// A failure is a value: it gains context on the way up and is logged once, at the end.
#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace wsproxy {

enum class Errc {
  Usage,        ///< the command line is wrong (exit status 2)
  Config,       ///< the configuration file is wrong (exit status 78)
  Invalid,      ///< input of any other kind that cannot be used
  Io,           ///< a system call failed; `Error::sys` has its errno
  Refused,      ///< the peer answered, and said no
  Unreachable,  ///< no way to the peer
  TimedOut,
  NotFound,
  Tls,
};

struct Error {
  Errc code = Errc::Invalid;
  int sys = 0;  ///< errno, or 0
  std::string text;

  /// The same error with `context` in front: "context: text".
  [[nodiscard]] Error in(std::string_view context) const;

  /// What an operator reads: the text and, behind it, what errno means.
  [[nodiscard]] std::string message() const;
};

template <typename T>
using Result = std::expected<T, Error>;
using Status = Result<void>;

/// What errno value `sys` means, in words and lower case ("connection refused").
std::string describe_errno(int sys);

inline std::unexpected<Error> fail(Errc code, std::string text, int sys = 0) {
  return std::unexpected(Error{code, sys, std::move(text)});
}

}  // namespace wsproxy

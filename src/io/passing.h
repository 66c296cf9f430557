// Descriptors that go from one process to another, with a text (SCM_RIGHTS over a SOCK_SEQPACKET pair).
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"

namespace wsproxy::io {

/// The kernel takes 253.
constexpr std::size_t kMaxPassed = 250;
constexpr std::size_t kMaxPassedText = std::size_t{64} * 1024;

struct Passed {
  std::string text;
  std::vector<UniqueFd> fds;  ///< close-on-exec
};

/// At most kMaxPassed and kMaxPassedText. False: errno says why.
bool pass(int socket, std::string_view text, std::span<const int> fds);

/// The next message; nothing at the end, after an error, or when it was cut for what it is.
std::optional<Passed> receive_passed(int socket);

}  // namespace wsproxy::io

#include "daemon/log_socket.h"

#include <sys/socket.h>

#include <cerrno>

namespace wsproxy::daemon {
namespace {

constexpr int kFlags = MSG_DONTWAIT | MSG_NOSIGNAL;

Result<UniqueFd> connected(const SocketAddress& address, int type) {
  UniqueFd fd(::socket(address.family(), type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd || ::connect(fd.get(), address.get(), address.length()) != 0) {
    return fail(Errc::Io, "cannot connect to " + address.to_string(), errno);
  }
  return fd;
}

}  // namespace

Status LogSocket::connect() {
  unsent_.clear();
  auto socket = connected(address_, SOCK_DGRAM);
  stream_ = !socket && socket.error().sys == EPROTOTYPE;
  if (stream_) socket = connected(address_, SOCK_STREAM);
  if (!socket) return std::unexpected(socket.error());
  socket_ = std::move(*socket);
  return {};
}

void LogSocket::move_to(const SocketAddress& address) {
  address_ = address;
  socket_.reset();
}

// Twice: a daemon that was restarted shows as an error of the first attempt.
bool LogSocket::send(std::string_view message) {
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (!socket_ && !connect()) return false;
    const Sent sent = stream_ ? send_stream(message) : send_once(message);
    if (sent != Sent::Broken) return sent == Sent::Yes;
    socket_.reset();
  }
  return false;
}

LogSocket::Sent LogSocket::send_once(std::string_view message) {
  while (true) {
    if (::send(socket_.get(), message.data(), message.size(), kFlags) >= 0) return Sent::Yes;
    if (errno == EINTR) continue;
    const bool full = errno == EAGAIN || errno == ENOBUFS || errno == EMSGSIZE;
    return full ? Sent::Full : Sent::Broken;
  }
}

LogSocket::Sent LogSocket::send_stream(std::string_view message) {
  // what is left of the message before comes first, or two would run into each other
  const bool behind = !unsent_.empty();
  if (!behind) unsent_ = std::string(message) + "\n";
  while (!unsent_.empty()) {
    const ssize_t n = ::send(socket_.get(), unsent_.data(), unsent_.size(), kFlags);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno != EAGAIN && errno != ENOBUFS) return Sent::Broken;
    if (n < 0) break;
    unsent_.erase(0, static_cast<std::size_t>(n));
  }
  if (behind) return unsent_.empty() ? send_stream(message) : Sent::Full;
  if (unsent_.size() <= message.size()) return Sent::Yes;  // in part: the rest follows
  unsent_.clear();
  return Sent::Full;
}

}  // namespace wsproxy::daemon

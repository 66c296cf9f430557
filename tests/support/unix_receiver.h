// A Unix socket that a test receives from, as a log daemon does.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <optional>
#include <string>

#include "base/endpoint.h"
#include "base/unique_fd.h"

namespace wsproxy::test {

class UnixReceiver {
 public:
  UnixReceiver(std::string path, int type) : path_(std::move(path)), type_(type) { start(); }
  ~UnixReceiver() { stop(); }
  UnixReceiver(const UnixReceiver&) = delete;
  UnixReceiver& operator=(const UnixReceiver&) = delete;

  void start() {
    socket_.reset(::socket(AF_UNIX, type_ | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const auto address = SocketAddress::unix_path(path_);
    ASSERT_TRUE(address);
    ASSERT_EQ(::bind(socket_.get(), address->get(), address->length()), 0) << path_;
    if (type_ == SOCK_STREAM) {
      ASSERT_EQ(::listen(socket_.get(), 8), 0);
    }
  }

  void stop() {
    connection_.reset();
    socket_.reset();
    ::unlink(path_.c_str());
  }

  /// The next datagram, or all that the stream has now; nothing if there is none.
  std::optional<std::string> receive() {
    if (type_ == SOCK_STREAM && !connection_) {
      connection_.reset(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    }
    std::array<char, 65536> text{};
    const int from = type_ == SOCK_STREAM ? connection_.get() : socket_.get();
    const ssize_t n = ::recv(from, text.data(), text.size(), MSG_DONTWAIT);
    if (n <= 0) return {};
    return std::string(text.data(), static_cast<std::size_t>(n));
  }

 private:
  std::string path_;
  int type_;
  UniqueFd socket_, connection_;
};

}  // namespace wsproxy::test

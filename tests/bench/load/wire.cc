#include "bench/load/wire.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace wsproxy::bench {
namespace {

constexpr std::uint32_t kSourceAddresses = 16;

sockaddr_in loopback(std::uint32_t offset, int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + offset);
  return address;
}

// Leaves the choice of the port to connect(), when both addresses are known.
void bind_to_next_source(int fd) {
  static std::uint32_t count = 0;
  const int one = 1;
  ::setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
  const sockaddr_in source = loopback(count++ % kSourceAddresses, 0);
  // without it the first address does for all
  static_cast<void>(::bind(fd, reinterpret_cast<const sockaddr*>(&source), sizeof source));
}

}  // namespace

TlsClient::TlsClient() : context_(::SSL_CTX_new(::TLS_client_method()), &::SSL_CTX_free) {
  SSL_CTX* context = context_.get();
  ::SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nullptr);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  ::SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  ::SSL_CTX_sess_set_new_cb(context, &Wire::keep_session);
}

int Wire::keep_session(SSL* ssl, SSL_SESSION* session) {
  static_cast<Wire*>(SSL_get_app_data(ssl))->session_.reset(session);
  return 1;
}

bool Wire::connect(int port) {
  fd_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd_) return false;
  const int one = 1;
  ::setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  bind_to_next_source(fd_.get());
  const sockaddr_in proxy = loopback(0, port);
  return ::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&proxy), sizeof proxy) == 0 ||
         errno == EINPROGRESS;
}

Wire::Step Wire::connected() {
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  errno = error;
  return error == 0 ? Step::Done : Step::Failed;
}

Wire::Step Wire::handshake(bool resume) {
  if (!is_tls()) return Step::Done;
  if (!ssl_) {
    ssl_.reset(::SSL_new(tls_->context()));
    ::SSL_set_fd(ssl_.get(), fd_.get());
    ::SSL_set_connect_state(ssl_.get());
    SSL_set_app_data(ssl_.get(), this);
    if (resume && session_) ::SSL_set_session(ssl_.get(), session_.get());
  }
  ::ERR_clear_error();
  const int result = ::SSL_do_handshake(ssl_.get());
  if (result == 1) return Step::Done;
  return tls_result(result) ? Step::Wait : Step::Failed;
}

std::optional<std::size_t> Wire::tls_result(int result) {
  wants_write_ = false;
  if (result > 0) return static_cast<std::size_t>(result);
  const int error = ::SSL_get_error(ssl_.get(), result);
  wants_write_ = error == SSL_ERROR_WANT_WRITE;
  if (wants_write_ || error == SSL_ERROR_WANT_READ) return 0;
  return {};
}

std::optional<std::size_t> Wire::read(MutableBytes out) {
  if (ssl_) {
    ::ERR_clear_error();
    return tls_result(::SSL_read(ssl_.get(), out.data(), static_cast<int>(out.size())));
  }
  const ssize_t got = ::recv(fd_.get(), out.data(), out.size(), 0);
  if (got > 0) return static_cast<std::size_t>(got);
  if (got < 0 && errno == EAGAIN) return 0;
  return {};
}

std::optional<std::size_t> Wire::write(Bytes in) {
  if (ssl_) {
    ::ERR_clear_error();
    const auto size = std::min<std::size_t>(in.size(), 1U << 20);
    return tls_result(::SSL_write(ssl_.get(), in.data(), static_cast<int>(size)));
  }
  const ssize_t sent = ::send(fd_.get(), in.data(), in.size(), MSG_NOSIGNAL);
  if (sent >= 0) return static_cast<std::size_t>(sent);
  if (errno == EAGAIN) return 0;
  return {};
}

void Wire::shutdown() {
  if (ssl_) {
    ::ERR_clear_error();
    ::SSL_shutdown(ssl_.get());
  }
  ::shutdown(fd_.get(), SHUT_WR);
}

void Wire::close() {
  if (ssl_) ::SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  ssl_.reset();
  fd_.reset();
  wants_write_ = false;
}

}  // namespace wsproxy::bench

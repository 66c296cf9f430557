#include "daemon/log_syslog.h"

#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <utility>

#include "base/log_format.h"

namespace wsproxy::daemon {
namespace {

constexpr std::string_view kIdent = "wsproxy";
// Names of structured data that are not registered carry a number of their owner; this one is for examples
// (RFC 5612), and for those who have none.
constexpr std::string_view kDataId = "wsproxy@32473";
constexpr std::string_view kBom = "\xef\xbb\xbf";
constexpr auto kLookupLimit = std::chrono::seconds(30);

bool is_path(const std::string& where) {
  return where.starts_with('/') || where.find(':') == std::string::npos;
}

// PARAM-VALUE (RFC 5424 section 6.3.3).
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\' || c == ']') out += '\\';
    out += c;
  }
  return out + '"';
}

std::string structured_data(std::span<const log::Field> fields) {
  if (fields.empty()) return "-";
  std::string out = "[" + std::string(kDataId);
  for (const log::Field& field : fields) {
    out += " " + std::string(field.name) + "=" + quoted(log::printable_utf8(value_text(field)));
  }
  return out + "]";
}

// HOSTNAME: at most 255 printable ASCII characters (RFC 5424 section 6.2.4).
std::string header_name(const std::string& host) {
  for (const char c : host) {
    if (c <= 0x20 || c >= 0x7f) return "-";
  }
  return host.empty() ? "-" : host.substr(0, 255);
}

bool is_ascii(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) >= 0x80) return false;
  }
  return true;
}

// Before the loop runs: whoever starts the daemon waits for this anyway.
Result<SocketAddress> look_up_now(const HostPort& name) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* list = nullptr;
  const int error = ::getaddrinfo(name.host.c_str(), nullptr, &hints, &list);
  if (error != 0) return fail(Errc::NotFound, ::gai_strerror(error));
  SocketAddress address(list->ai_addr, list->ai_addrlen);
  ::freeaddrinfo(list);
  address.set_port(name.port);
  return address;
}

Status check_socket_file(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return fail(Errc::Io, "cannot use it", errno);
  if (!S_ISSOCK(status.st_mode)) return fail(Errc::Invalid, "is no socket");
  return {};
}

}  // namespace

std::string syslog_message(const SyslogForm& form, const log::Record& record) {
  const int priority = static_cast<int>(form.facility) * 8 + log::severity_of(record.level);
  const std::string text = log::printable_utf8(record.text);
  std::string head = "<" + std::to_string(priority) + ">";
  const std::string pid = std::to_string(form.pid);
  if (form.legacy) return head + std::string(kIdent) + "[" + pid + "]: " + text;
  head += "1 " + log::timestamp(record.time) + " " + header_name(form.host) + " " +
          std::string(kIdent) + " " + pid + " - " + structured_data(record.fields) + " ";
  if (!is_ascii(text)) head += kBom;
  return head + text;
}

Result<std::unique_ptr<SyslogSink>> SyslogSink::open(const std::string& where, SyslogForm form) {
  SocketAddress address;
  HostPort name;
  if (is_path(where)) {
    auto path = SocketAddress::unix_path(where);
    if (!path) return std::unexpected(path.error().in(where));
    if (const Status status = check_socket_file(where); !status) {
      return std::unexpected(status.error().in(where));
    }
    address = *path;
  } else {
    auto host_port = parse_host_port(where, false);
    if (!host_port) return std::unexpected(host_port.error());
    if (const auto numeric = SocketAddress::numeric(host_port->host, host_port->port)) {
      address = *numeric;
    } else {
      auto found = look_up_now(*host_port);
      if (!found) return std::unexpected(found.error().in(where));
      address = *found;
      name = std::move(*host_port);
    }
  }
  std::unique_ptr<SyslogSink> sink(new SyslogSink(std::move(form), address));
  sink->name_ = std::move(name);
  const Status status = sink->socket_.connect();
  if (!status && status.error().sys == EACCES) return std::unexpected(status.error());
  return sink;
}

bool SyslogSink::write(const log::Record& record) {
  return socket_.send(syslog_message(form_, record));
}

void SyslogSink::use_resolver(io::Resolver* resolver) {
  lookup_.reset();
  resolver_ = resolver;
}

void SyslogSink::reopen() {
  if (has_name() && resolver_ != nullptr) {
    lookup_ = resolver_->lookup(name_.host, kLookupLimit, [this] { looked_up(); });
  } else {
    socket_.move_to(SocketAddress(socket_.address()));
  }
}

// `lookup_` stays until the next one: it is calling us.
void SyslogSink::looked_up() {
  auto addresses = lookup_->take();
  if (addresses && !addresses->empty()) {
    addresses->front().set_port(name_.port);
    socket_.move_to(addresses->front());
    return;
  }
  trouble_ = "--syslog " + name_.host + ": " +
             (addresses ? "no such host" : addresses.error().message()) + "; messages go on to " +
             socket_.address().to_string();
}

}  // namespace wsproxy::daemon

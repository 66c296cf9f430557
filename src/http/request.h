// An HTTP/1.x request head (RFC 9112 sections 2 to 5), strict: what two parsers might read
// differently is refused.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace wsproxy::http {

struct HeadLimits {
  std::size_t bytes = std::size_t{16} * 1024;  ///< request line and all fields, line ends included
  std::size_t target_bytes = 4096;             ///< of the request target alone
  std::size_t fields = 100;
};

struct Field {
  std::string_view name;   ///< as sent; compare with equals_ignoring_case
  std::string_view value;  ///< without the white space around it
};

/// A parsed head. All views point into the bytes that were parsed and live as long as those.
struct RequestHead {
  std::string_view method;
  std::string_view target;  ///< as sent: "/path?query", absolute, "*" or "host:port"
  std::string_view host;    ///< whom it is meant for, perhaps with a port: of an absolute target,
                            ///< which goes before Host (RFC 9112 section 3.2.2); may be empty
  std::string_view path;    ///< before '?', still percent-encoded; "*", and empty for CONNECT
  std::string_view query;   ///< behind '?', without it; may hold secrets: never log it
  int minor_version = 1;    ///< of HTTP/1.x: 0 or 1
  std::vector<Field> fields;

  /// The value of the only field of that name; nothing if absent or sent more than once.
  [[nodiscard]] std::optional<std::string_view> field(std::string_view name) const;
  [[nodiscard]] std::size_t count(std::string_view name) const;

  /// True if `token` is an element of the comma-separated list in all fields of that name
  /// (RFC 9110 section 5.6.1), compared without case.
  [[nodiscard]] bool lists(std::string_view name, std::string_view token) const;

  /// The elements of that list, trimmed, without the empty ones, in order.
  [[nodiscard]] std::vector<std::string_view> list(std::string_view name) const;

  /// False after "Connection: close" or for HTTP/1.0 (where we never keep a connection).
  [[nodiscard]] bool keeps_alive() const;
};

/// Finds the end of a head in bytes that come in pieces, and refuses early what can never become
/// one.
class HeadScanner {
 public:
  explicit HeadScanner(HeadLimits limits = {}) : limits_(limits) {}

  /// `in` is all that has been received since the last head, including what was scanned before.
  ///
  /// Done      a head ends after head_bytes() bytes
  /// NeedMore  go on reading
  /// Bad       status() says what to answer: 400 for a bare CR or LF, a NUL or other control byte
  /// or
  ///           a first byte no method starts with, 414, 431 or (all method) 501 for one over a
  ///           limit
  Parse scan(Bytes in);

  [[nodiscard]] std::size_t head_bytes() const { return scanned_; }
  [[nodiscard]] int status() const { return status_; }

 private:
  Parse bad(int status);

  HeadLimits limits_;
  std::size_t scanned_ = 0;
  std::size_t line_start_ = 0;
  bool in_request_line_ = true;
  int status_ = 0;
};

/// Parses a whole head, as found by HeadScanner, its final empty line included. Returns 0, or the
/// status to answer with (RFC 9110 section 15): 400 not HTTP/1.x in every detail (field syntax,
/// obs-fold, a form of target that is not the method's, duplicate, missing or broken Host, body
/// framing that conflicts), 414 target too long,
/// 431 too many fields, 501 unknown transfer coding, 505 another HTTP version.
int parse_request_head(Bytes head, const HeadLimits& limits, RequestHead& out);

/// The method at the front of a head that is refused or not complete, for the reply: one to HEAD has
/// no body. Empty if there is none.
std::string_view method_of(Bytes head);

/// True for the methods that RFC 9110 section 9 and RFC 5789 define: others get 501, these 405.
bool is_known_method(std::string_view method);

/// True if a request with this head announces a body (Content-Length over 0, or Transfer-Encoding).
bool has_body(const RequestHead& head);

bool is_token_char(char c);  ///< RFC 9110 section 5.6.2
bool is_token(std::string_view text);
bool equals_ignoring_case(std::string_view a, std::string_view b);
std::string_view trim(std::string_view text);  ///< spaces and tabs only (RFC 9110 OWS)

/// Undoes percent-encoding (RFC 3986 section 2.1). Nothing if it is broken.
std::optional<std::string> percent_decode(std::string_view text);

}  // namespace wsproxy::http

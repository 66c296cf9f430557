// HTTP/1.1 response heads and the small pages that go with an error (RFC 9110, RFC 9112).
#pragma once

#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>

#include "http/request.h"

namespace wsproxy::http {

/// The reason phrase of a status that we send ("Not Found"), or "Unknown".
std::string_view reason_phrase(int status);

/// Builds a response head field by field. `Date` is in every one.
class ResponseHead {
 public:
  ResponseHead(int status, std::time_t now);

  /// The value must hold no control byte: it is ours, or checked before.
  ResponseHead& add(std::string_view name, std::string_view value);
  ResponseHead& add(std::string_view name, std::uint64_t value);

  /// The head with its final empty line.
  [[nodiscard]] std::string str() const { return text_ + "\r\n"; }

 private:
  std::string text_;
};

/// Adds a field to a response that is made already: in front of the others.
void add_line(std::string& response, std::string_view name, std::string_view value);

/// A whole response that says `status` in plain text, with `detail` behind it for a person to read,
/// and any extra header lines ("Allow: GET, HEAD\r\n"). `keep_alive` false announces the close.
std::string plain_response(int status, std::string_view detail, std::string_view extra_lines,
                           std::time_t now, bool head_only, bool keep_alive);

/// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 section 5.6.7).
std::string http_date(std::time_t time);

/// Takes that form and the two obsolete ones, each in its one spelling; `now` tells the century of
/// a year with two digits. Nothing if it is none of them.
std::optional<std::time_t> parse_http_date(std::string_view text, std::time_t now);

/// True if "Accept-Encoding" lets us send `gzip` (q=0 forbids it; RFC 9110 section 12.5.3).
bool accepts_gzip(const RequestHead& head);

/// True if `If-Match`, or else `If-Unmodified-Since`, asks for something that is no longer there: the
/// answer is 412 (RFC 9110 section 13.2.2). Arguments as below.
bool precondition_fails(const RequestHead& head, std::string_view etag, std::time_t modified,
                        std::time_t now);

/// True if `If-None-Match`, or else `If-Modified-Since`, says the client has it already
/// (RFC 9110 section 13.2.2). `etag` with its quotes; `modified` 0 when unknown.
bool not_modified(const RequestHead& head, std::string_view etag, std::time_t modified,
                  std::time_t now);

/// What part of `size` bytes a request wants (RFC 9110 section 14).
struct Range {
  enum class Kind { Whole, Part, Unsatisfiable } kind = Kind::Whole;
  std::uint64_t first = 0;
  std::uint64_t length = 0;
};

/// Several ranges, another unit, broken syntax or an `If-Range` that does not match: the whole.
Range requested_range(const RequestHead& head, std::uint64_t size, std::string_view etag,
                      std::time_t modified, std::time_t now);

}  // namespace wsproxy::http

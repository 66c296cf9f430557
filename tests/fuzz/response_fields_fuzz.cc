// http/response: the request fields that decide about a response. After eight bytes of file size,
// one field's value a line: Range, If-Range, Accept-Encoding, If-None-Match, If-Modified-Since,
// If-Match, If-Unmodified-Since.
#include <array>
#include <string>

#include "base/check.h"
#include "fuzz/fuzz_input.h"
#include "http/response.h"

using namespace wsproxy;

namespace {

constexpr std::string_view kTag = "\"5f-1-2\"";
constexpr std::time_t kModified = 784111777;
constexpr std::time_t kNow = 1800000000;

void check_range(const http::RequestHead& head, std::uint64_t size) {
  const http::Range range = http::requested_range(head, size, kTag, kModified, kNow);
  switch (range.kind) {
    case http::Range::Kind::Whole: CHECK(range.first == 0 && range.length == size); break;
    case http::Range::Kind::Part:
      CHECK(range.length > 0 && range.length <= size && range.first <= size - range.length);
      break;
    case http::Range::Kind::Unsatisfiable: CHECK(head.count("range") == 1); break;
  }
}

void check_date(std::string_view text) {
  const auto time = http::parse_http_date(text, kNow);
  if (!time) return;
  const std::string fixed = http::http_date(*time);
  CHECK(http::parse_http_date(fixed, kNow) == time);
  if (text.size() > 3 && text[3] == ',') CHECK(fixed == text);  // this form has one spelling
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::uint64_t file_size = input.number(8);
  constexpr std::array<std::string_view, 7> kNames = {
      "Range",    "If-Range",           "Accept-Encoding", "If-None-Match", "If-Modified-Since",
      "If-Match", "If-Unmodified-Since"};
  http::RequestHead head;
  head.method = "GET";
  std::size_t line = 0;
  for (const std::string_view value : fuzz::split(input.text(), '\n')) {
    // lines over seven begin again: the same field a second time
    head.fields.push_back({kNames[line++ % kNames.size()], http::trim(value)});
    check_date(value);
  }
  check_range(head, file_size);
  check_range(head, file_size % 100);

  const bool gzip = http::accepts_gzip(head);
  CHECK(gzip == http::accepts_gzip(head));
  if (head.list("accept-encoding").empty()) CHECK(!gzip);

  (void)http::precondition_fails(head, kTag, kModified, kNow);
  const bool fresh = http::not_modified(head, kTag, kModified, kNow);
  if (head.lists("if-none-match", "*")) CHECK(fresh);
  if (head.count("if-none-match") > 0) {
    CHECK(fresh ==
          http::not_modified(head, kTag, 0, kNow));  // the date does not count beside a tag
  }
  return 0;
}

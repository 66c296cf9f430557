// http/request: the scanner gives the same in pieces as in one, and what the parser takes is
// well-formed and reads the same when it is written down again.
#include <algorithm>
#include <string>
#include <vector>

#include "base/check.h"
#include "fuzz/fuzz_input.h"
#include "http/request.h"

using namespace wsproxy;

namespace {

struct Outcome {
  Parse parse = Parse::NeedMore;
  int status = 0;
  std::size_t head_bytes = 0;
  bool operator==(const Outcome&) const = default;
};

Outcome scan(Bytes in, const std::vector<std::size_t>& cuts, http::HeadLimits limits) {
  http::HeadScanner scanner(limits);
  for (std::size_t i = 0; i <= cuts.size(); ++i) {
    const Parse parse = scanner.scan(in.first(i < cuts.size() ? cuts[i] : in.size()));
    if (parse == Parse::Bad) return {parse, scanner.status(), 0};
    if (parse == Parse::Done) return {parse, 0, scanner.head_bytes()};
  }
  return {};
}

bool clean(std::string_view text) {
  return std::ranges::none_of(text, [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
  });
}

std::string written(const http::RequestHead& head) {
  std::string text(head.method);
  text.append(" ")
      .append(head.target)
      .append(head.minor_version == 0 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n");
  for (const http::Field& field : head.fields) {
    text.append(field.name).append(":").append(field.value).append("\r\n");
  }
  return text + "\r\n";
}

void check_head(const http::RequestHead& head, const http::HeadLimits& limits) {
  CHECK(!head.method.empty() && clean(head.method));
  CHECK(head.method.find_first_of(" \t:/") == std::string_view::npos);
  CHECK(!head.target.empty() && head.target.size() <= limits.target_bytes && clean(head.target));
  CHECK(head.target.find(' ') == std::string_view::npos);
  CHECK(head.path.starts_with('/') || (head.path == "*" && head.method == "OPTIONS") ||
        (head.path.empty() && head.method == "CONNECT"));
  CHECK(head.host.find_first_of(" \t,/@?#") == std::string_view::npos);
  CHECK(head.path.find('?') == std::string_view::npos);
  CHECK(head.minor_version == 0 || head.minor_version == 1);
  CHECK(head.fields.size() <= limits.fields);
  for (const http::Field& field : head.fields) {
    CHECK(!field.name.empty() && clean(field.name));
    CHECK(field.name.find_first_of(" \t:") == std::string_view::npos);
    CHECK(clean(field.value) && http::trim(field.value) == field.value);
    CHECK(head.count(field.name) >= 1);
    CHECK(head.field(field.name).has_value() == (head.count(field.name) == 1));
    for (const std::string_view element : head.list(field.name)) {
      CHECK(!element.empty() && http::trim(element) == element);
      CHECK(head.lists(field.name, element));
    }
  }
  CHECK(head.count("host") <= 1);
  CHECK(head.minor_version == 0 || head.count("host") == 1);
  CHECK(head.count("content-length") == 0 || head.count("transfer-encoding") == 0);
  CHECK(head.minor_version == 1 || !head.keeps_alive());
  if (head.count("transfer-encoding") > 0) CHECK(http::has_body(head));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  http::HeadLimits limits;
  const unsigned choice = input.byte();
  if (choice % 2 == 1) limits = {256, 64, 4};
  const Bytes text = input.rest();

  const Outcome whole = scan(text, {}, limits);
  CHECK(scan(text, fuzz::cuts(choice / 2, text.size()), limits) == whole);
  CHECK(scan(text, fuzz::cuts(0, std::min<std::size_t>(text.size(), 200)), limits) == whole);
  if (whole.parse == Parse::Bad) {
    CHECK(whole.status == 400 || whole.status == 414 || whole.status == 431 || whole.status == 501);
  }
  if (whole.parse != Parse::Done) return 0;

  CHECK(whole.head_bytes <= text.size() && whole.head_bytes <= limits.bytes);
  const Bytes head_bytes = text.first(whole.head_bytes);
  CHECK(as_text(head_bytes).ends_with("\r\n\r\n"));
  http::RequestHead head;
  const int status = http::parse_request_head(head_bytes, limits, head);
  CHECK(status == 0 || status == 400 || status == 414 || status == 431 || status == 501 ||
        status == 505);
  const std::string_view method = http::method_of(text);
  if (status != 0) return 0;
  CHECK(method == head.method || (method.empty() && head.method.size() >= 32));
  check_head(head, limits);

  const std::string again = written(head);
  CHECK(scan(as_bytes(again), {}, limits) == (Outcome{Parse::Done, 0, again.size()}));
  http::RequestHead second;
  CHECK(http::parse_request_head(as_bytes(again), limits, second) == 0);
  CHECK(written(second) == again);
  CHECK(second.host == head.host && second.path == head.path && second.query == head.query);
  return 0;
}

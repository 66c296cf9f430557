// session/recording_writer: a line of a recording, read as noVNC's player reads it, gives the bytes back. They
// are RFB, of which nothing is understood here. The first four bytes are a time, the fifth a direction.
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/hex.h"
#include "fuzz/fuzz_input.h"
#include "session/recording_writer.h"

using namespace wsproxy;

namespace {

// A JavaScript string in single quotes (ECMA-262 section 12.9.4), as far as recordings have it.
std::string unquote(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    CHECK(text[i] >= ' ' && text[i] < 0x7f && text[i] != '\'');
    if (text[i] != '\\') {
      out += text[i];
      continue;
    }
    ++i;
    CHECK(i < text.size());
    if (text[i] == 'x') {
      CHECK(i + 2 < text.size() && hex_value(text[i + 1]) >= 0 && hex_value(text[i + 2]) >= 0);
      out += static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
      i += 2;
      continue;
    }
    const auto at = std::string_view("tnr\\'").find(text[i]);
    CHECK(at != std::string_view::npos);
    out += std::string_view("\t\n\r\\'")[at];
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const auto time = static_cast<std::uint32_t>(input.number(4));
  const bool from_target = input.byte() % 2 == 0;
  std::string line = "before";
  session::append_record(
      line, from_target ? session::RecordKind::FromTarget : session::RecordKind::FromClient, time,
      input.rest());
  const std::string mark = from_target ? "{" : "}";
  const std::string front = "before'" + mark + std::to_string(time) + mark;
  CHECK(line.starts_with(front) && line.ends_with("',\n"));
  const std::string_view body =
      std::string_view(line).substr(front.size(), line.size() - front.size() - 3);
  CHECK(!body.ends_with('\\') || body.ends_with("\\\\"));
  CHECK(unquote(body) == input.text());
  return 0;
}

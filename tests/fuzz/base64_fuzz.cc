// base/base64: only what the encoder writes is taken, and pieces make no difference.
#include "base/base64.h"

#include <optional>
#include <string>
#include <vector>

#include "base/check.h"
#include "fuzz/fuzz_input.h"

using namespace wsproxy;

namespace {

std::optional<std::string> decode_pieces(Bytes in, const std::vector<std::size_t>& cuts) {
  Base64Decoder decoder;
  std::string out;
  std::vector<std::byte> room(in.size());
  std::size_t from = 0;
  for (std::size_t i = 0; i <= cuts.size(); ++i) {
    const std::size_t to = i < cuts.size() ? cuts[i] : in.size();
    const auto n = decoder.decode(in.subspan(from, to - from), room);
    if (!n) return std::nullopt;
    CHECK(*n <= to - from);
    out += as_text(Bytes(room).first(*n));
    from = to;
  }
  if (!decoder.finish()) return std::nullopt;
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::uint32_t seed = input.byte();
  const std::string_view text = input.text();

  const auto decoded = base64_decode(text);
  CHECK(decode_pieces(input.rest(), fuzz::cuts(seed, text.size())) == decoded);
  if (decoded) CHECK(base64_encode(as_bytes(*decoded)) == text);

  const std::string encoded = base64_encode(input.rest());
  CHECK(encoded.size() == base64_size(text.size()));
  CHECK(base64_decode(encoded) == text);
  return 0;
}

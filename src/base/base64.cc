#include "base/base64.h"

#include <array>
#include <cstdint>

#include "base/check.h"

namespace wsproxy {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t kNone = 0xff;

constexpr std::array<std::uint8_t, 256> make_values() {
  std::array<std::uint8_t, 256> values{};
  values.fill(kNone);
  for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
    values[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::uint8_t>(i);
  }
  return values;
}

constexpr auto kValues = make_values();

}  // namespace

void base64_encode(Bytes in, MutableBytes out) {
  CHECK(out.size() >= base64_size(in.size()));
  std::size_t at = 0;
  const auto put = [&](unsigned value) {
    out[at++] = static_cast<std::byte>(kAlphabet[value & 63]);
  };
  const auto pad = [&] { out[at++] = static_cast<std::byte>('='); };
  const auto byte = [&](std::size_t i) { return std::to_integer<unsigned>(in[i]); };
  std::size_t i = 0;
  for (; i + 3 <= in.size(); i += 3) {
    const unsigned group = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    put(group >> 18);
    put(group >> 12);
    put(group >> 6);
    put(group);
  }
  if (in.size() - i == 1) {
    put(byte(i) >> 2);
    put(byte(i) << 4);
    pad();
    pad();
  } else if (in.size() - i == 2) {
    const unsigned group = byte(i) << 8 | byte(i + 1);
    put(group >> 10);
    put(group >> 4);
    put(group << 2);
    pad();
  }
}

std::string base64_encode(Bytes in) {
  std::string text(base64_size(in.size()), '\0');
  base64_encode(in, std::as_writable_bytes(std::span(text)));
  return text;
}

std::optional<std::string> base64_decode(std::string_view text) {
  std::string out(text.size(), '\0');
  Base64Decoder decoder;
  const auto size = decoder.decode(as_bytes(text), std::as_writable_bytes(std::span(out)));
  if (!size || !decoder.finish()) return std::nullopt;
  out.resize(*size);
  return out;
}

std::optional<std::size_t> Base64Decoder::decode(Bytes in, MutableBytes out) {
  CHECK(out.size() >= in.size());
  std::size_t written = 0;
  for (const std::byte b : in) {
    const auto c = std::to_integer<unsigned char>(b);
    if (c == '=') {
      // one byte is spelt "xx==", two are "xxx=": what is left over in `bits_` has to be zero
      if (count_ < 2) return std::nullopt;
      if (padding_ == 0 && (bits_ & (count_ == 2 ? 0xfU : 0x3U)) != 0) return std::nullopt;
      ++padding_;
      if (++count_ == 4) count_ = 0;
      continue;
    }
    const unsigned value = kValues[c];
    if (value == kNone || padding_ != 0) return std::nullopt;
    bits_ = (bits_ << 6 | value) & 0xffff;
    if (count_ > 0) out[written++] = static_cast<std::byte>(bits_ >> (6 - 2 * count_));
    count_ = (count_ + 1) & 3;
  }
  return written;
}

bool Base64Decoder::finish() {
  const bool whole = count_ == 0;
  *this = Base64Decoder();
  return whole;
}

}  // namespace wsproxy

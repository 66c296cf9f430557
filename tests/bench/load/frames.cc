#include "bench/load/frames.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cstring>

#include "bench/load/pattern.h"
#include "bench/load/report.h"

namespace wsproxy::bench {
namespace {

constexpr unsigned kLength16 = 126;
constexpr unsigned kLength64 = 127;

std::string base64(const unsigned char* bytes, std::size_t size) {
  unsigned char text[64];
  const int length = ::EVP_EncodeBlock(text, bytes, static_cast<int>(size));
  return {reinterpret_cast<const char*>(text), static_cast<std::size_t>(length)};
}

std::size_t header_size(unsigned length) {
  return length == kLength64 ? 10 : length == kLength16 ? 4 : 2;
}

}  // namespace

Upgrade make_upgrade(const std::string& path, int port, bool tls) {
  unsigned char random[16];
  for (unsigned char& byte : random) byte = static_cast<unsigned char>(random_number());
  const std::string key = base64(random, sizeof random);
  const std::string salted = key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  unsigned char digest[SHA_DIGEST_LENGTH];
  ::SHA1(reinterpret_cast<const unsigned char*>(salted.data()), salted.size(), digest);
  const std::string host = "127.0.0.1:" + std::to_string(port);
  return {"GET " + path + " HTTP/1.1\r\nHost: " + host +
              "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nOrigin: " +
              (tls ? "https://" : "http://") + host + "\r\nSec-WebSocket-Key: " + key +
              "\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: binary\r\n\r\n",
          base64(digest, sizeof digest)};
}

void append_header(std::string& out, unsigned opcode, std::size_t length, std::uint32_t mask) {
  std::array<std::byte, 14> header{};
  header[0] = static_cast<std::byte>(0x80U | opcode);
  const unsigned form = length < kLength16 ? static_cast<unsigned>(length)
                        : length < 65536   ? kLength16
                                           : kLength64;
  const std::size_t size = header_size(form);
  header[1] = static_cast<std::byte>(0x80U | form);
  store_big_endian(length, MutableBytes(header).subspan(2, size - 2));
  std::memcpy(header.data() + size, &mask, sizeof mask);
  out.append(as_text(Bytes(header).first(size + sizeof mask)));
}

void append_masked(std::string& out, Bytes payload, std::uint32_t mask) {
  const std::size_t at = out.size();
  out.resize(at + payload.size());
  char* to = out.data() + at;
  const std::uint64_t wide = mask | (std::uint64_t{mask} << 32);
  std::size_t i = 0;
  for (; i + sizeof wide <= payload.size(); i += sizeof wide) {
    std::uint64_t word = 0;
    std::memcpy(&word, payload.data() + i, sizeof word);
    word ^= wide;
    std::memcpy(to + i, &word, sizeof word);
  }
  for (; i < payload.size(); ++i) {
    to[i] = static_cast<char>(std::to_integer<std::uint32_t>(payload[i]) ^ (mask >> (8 * (i % 4))));
  }
}

void append_frame(std::string& out, unsigned opcode, Bytes payload) {
  const auto mask = static_cast<std::uint32_t>(random_number());
  append_header(out, opcode, payload.size(), mask);
  append_masked(out, payload, mask);
}

// True when the header is whole.
bool FrameReader::take_header(Bytes& in) {
  for (;;) {
    const auto form = std::to_integer<unsigned>(header_[1]) & 0x7FU;
    const std::size_t needed = header_size_ < 2 ? 2 : header_size(form);
    if (header_size_ == needed) break;
    if (in.empty()) return false;
    const std::size_t size = std::min(needed - header_size_, in.size());
    std::copy_n(in.begin(), size, header_.begin() + static_cast<std::ptrdiff_t>(header_size_));
    header_size_ += size;
    in = in.subspan(size);
  }
  const auto first = std::to_integer<unsigned>(header_[0]);
  const auto second = std::to_integer<unsigned>(header_[1]);
  if ((second & 0x80U) != 0) give_up("the proxy masked a frame");
  if ((first & 0x70U) != 0) give_up("the proxy set reserved bits");
  opcode_ = first & 0x0FU;
  if (opcode_ != 0 && opcode_ != kBinary && opcode_ < kClose) give_up("a frame is not binary");
  left_ =
      second < kLength16 ? second : load_big_endian(Bytes(header_).subspan(2, header_size_ - 2));
  header_size_ = 0;
  control_.clear();
  ++frames_;
  return true;
}

void FrameReader::feed(Bytes in, Handler& handler) {
  while (!in.empty() && !handler.is_over()) {
    if (!in_frame_ && !take_header(in)) return;
    in_frame_ = true;
    const Bytes piece = in.first(std::min<std::uint64_t>(left_, in.size()));
    in = in.subspan(piece.size());
    left_ -= piece.size();
    if (opcode_ >= kClose) {
      control_.append(as_text(piece));
    } else if (!piece.empty()) {
      handler.on_payload(piece);
    }
    if (left_ > 0) return;
    in_frame_ = false;
    if (opcode_ >= kClose) handler.on_control(opcode_, as_bytes(control_));
  }
}

}  // namespace wsproxy::bench

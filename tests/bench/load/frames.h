// The browser's side of RFC 6455, written apart from the proxy's so that both are not wrong alike.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/bytes.h"

namespace wsproxy::bench {

// opcodes
inline constexpr unsigned kBinary = 2;
inline constexpr unsigned kClose = 8;
inline constexpr unsigned kPing = 9;
inline constexpr unsigned kPong = 10;

/// A request to upgrade, and the Sec-WebSocket-Accept that has to come back.
struct Upgrade {
  std::string request;
  std::string accept;
};
Upgrade make_upgrade(const std::string& path, int port, bool tls);

/// Appends the header of a client's frame.
void append_header(std::string& out, unsigned opcode, std::size_t length, std::uint32_t mask);
/// Appends payload, masked from its first byte on; the pieces of a frame but its last are multiples of 4 bytes.
void append_masked(std::string& out, Bytes payload, std::uint32_t mask);
/// Both, with a mask of its own.
void append_frame(std::string& out, unsigned opcode, Bytes payload);

/// Takes a server's frames apart as they arrive. Gives up on what no server may send.
class FrameReader {
 public:
  class Handler {
   public:
    virtual ~Handler() = default;
    virtual void on_payload(Bytes payload) = 0;  ///< of data frames, in pieces
    virtual void on_control(unsigned opcode, Bytes payload) = 0;
    [[nodiscard]] virtual bool is_over() const = 0;  ///< true: reads no further
  };

  void feed(Bytes in, Handler& handler);
  [[nodiscard]] std::uint64_t frames() const { return frames_; }

 private:
  bool take_header(Bytes& in);

  std::array<std::byte, 10> header_{};
  std::size_t header_size_ = 0;
  bool in_frame_ = false;
  unsigned opcode_ = 0;
  std::uint64_t left_ = 0;  // of the frame's payload
  std::string control_;
  std::uint64_t frames_ = 0;
};

}  // namespace wsproxy::bench

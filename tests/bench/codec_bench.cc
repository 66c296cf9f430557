// What the codecs cost by themselves, away from the kernel: bytes in memory, nothing is opened.
#include <benchmark/benchmark.h>

#include <cstring>
#include <string>
#include <vector>

#include "base/base64.h"
#include "base/sha1.h"
#include "bench/load/frames.h"
#include "http/request.h"
#include "ws/frame.h"
#include "ws/frame_decoder.h"
#include "ws/frame_encoder.h"
#include "ws/unmask.h"
#include "ws/upgrade.h"

namespace wsproxy {
namespace {

// As Chromium sends it, from a page on localhost.
constexpr std::string_view kUpgradeHead =
    "GET /websockify?token=desk1 HTTP/1.1\r\n"
    "Host: localhost:6080\r\n"
    "Connection: Upgrade\r\n"
    "Pragma: no-cache\r\n"
    "Cache-Control: no-cache\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/126.0.0.0 Safari/537.36\r\n"
    "Upgrade: websocket\r\n"
    "Origin: http://localhost:6080\r\n"
    "Sec-WebSocket-Version: 13\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\n"
    "Accept-Language: en-US,en;q=0.9\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
    "Sec-WebSocket-Protocol: binary\r\n"
    "\r\n";

std::size_t size_of(const benchmark::State& state) {
  return static_cast<std::size_t>(state.range(0));
}

void count_bytes(benchmark::State& state, std::size_t each) {
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(each));
}

// Masked binary frames with that much payload each, about 64 KiB of them.
std::string frames_of(std::size_t payload) {
  const std::string text(payload, 'x');
  std::string frames;
  do {
    bench::append_frame(frames, bench::kBinary, as_bytes(text));
  } while (frames.size() + payload < 65536);
  return frames;
}

void unmask(benchmark::State& state) {
  const std::vector<std::byte> in(size_of(state), std::byte{0x5A});
  std::vector<std::byte> out(in.size());
  const std::array<std::byte, 4> mask{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}};
  for (auto _ : state) {
    ws::unmask(in, out, mask, 0);
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  count_bytes(state, in.size());
}
BENCHMARK(unmask)->Arg(6)->Arg(64)->Arg(125)->Arg(1024)->Arg(16384)->Arg(65536);

// From the third byte of a mask on, into a place that is not aligned.
void unmask_unaligned(benchmark::State& state) {
  const std::vector<std::byte> in(size_of(state) + 1, std::byte{0x5A});
  std::vector<std::byte> out(in.size() + 2);
  const std::array<std::byte, 4> mask{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}};
  for (auto _ : state) {
    ws::unmask(Bytes(in).subspan(1), MutableBytes(out).subspan(3), mask, 3);
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  count_bytes(state, size_of(state));
}
BENCHMARK(unmask_unaligned)->Arg(64)->Arg(1024)->Arg(65536);

void frame_header_parse(benchmark::State& state) {
  const std::string frame = frames_of(size_of(state));
  for (auto _ : state) {
    ws::FrameHeader header;
    benchmark::DoNotOptimize(ws::parse_frame_header(as_bytes(frame).first(14), header));
    benchmark::DoNotOptimize(header);
  }
}
BENCHMARK(frame_header_parse)->Arg(8)->Arg(1024)->Arg(65536);

void frame_header_write(benchmark::State& state) {
  std::array<std::byte, ws::kMaxServerHeader> out{};
  for (auto _ : state) {
    benchmark::DoNotOptimize(ws::write_frame_header(ws::Opcode::Binary, size_of(state), out));
    benchmark::ClobberMemory();
  }
}
BENCHMARK(frame_header_write)->Arg(8)->Arg(1024)->Arg(65536);

// A read's worth of frames: the smaller they are, the more is header and bookkeeping.
void decode_frames(benchmark::State& state) {
  const std::string frames = frames_of(size_of(state));
  std::vector<std::byte> out(frames.size());
  ws::FrameDecoder decoder(ws::Payload::Binary);
  for (auto _ : state) {
    const auto progress = decoder.decode(as_bytes(frames), out);
    if (progress.consumed != frames.size()) state.SkipWithError("not all was decoded");
    benchmark::ClobberMemory();
  }
  const std::size_t count = frames.size() / (size_of(state) + 6);
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(count));
  count_bytes(state, frames.size());
}
BENCHMARK(decode_frames)->Arg(6)->Arg(10)->Arg(64)->Arg(120)->Arg(1024)->Arg(16384)->Arg(65536);

void request_head(benchmark::State& state) {
  for (auto _ : state) {
    http::HeadScanner scanner;
    benchmark::DoNotOptimize(scanner.scan(as_bytes(kUpgradeHead)));
    http::RequestHead head;
    const int status = http::parse_request_head(as_bytes(kUpgradeHead), {}, head);
    if (status != 0) state.SkipWithError("the head was refused");
    benchmark::DoNotOptimize(head);
  }
  count_bytes(state, kUpgradeHead.size());
}
BENCHMARK(request_head);

void sha1_of_key(benchmark::State& state) {
  const std::string salted = "dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  for (auto _ : state) benchmark::DoNotOptimize(sha1(as_bytes(salted)));
}
BENCHMARK(sha1_of_key);

void accept_key(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(ws::accept_key("dGhlIHNhbXBsZSBub25jZQ=="));
}
BENCHMARK(accept_key);

// The subprotocol "base64", of old pages.
void base64_encode_payload(benchmark::State& state) {
  const std::vector<std::byte> in(size_of(state), std::byte{0x5A});
  std::vector<std::byte> out(base64_size(in.size()));
  for (auto _ : state) {
    base64_encode(in, out);
    benchmark::ClobberMemory();
  }
  count_bytes(state, in.size());
}
BENCHMARK(base64_encode_payload)->Arg(20)->Arg(16384);

}  // namespace
}  // namespace wsproxy

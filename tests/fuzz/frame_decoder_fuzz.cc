// ws/frame_decoder: pieces of any size give the same payload and events as the whole.
#include "ws/frame_decoder.h"

#include <string>
#include <vector>

#include "base/check.h"
#include "fuzz/fuzz_input.h"

using namespace wsproxy;
using Event = ws::FrameDecoder::Event;

namespace {

struct Said {
  std::size_t payload_before = 0;
  Event event = Event::None;
  std::string control;
  ws::CloseCode code = ws::CloseCode::None;
  std::string error;
  bool operator==(const Said&) const = default;
};

struct Outcome {
  std::string payload;
  std::vector<Said> said;
  [[nodiscard]] bool ended() const {
    return !said.empty() && (said.back().event == Event::Close || said.back().event == Event::Bad);
  }
  // Of a piece with bad base64 nothing counts, so how much came before depends on the pieces.
  [[nodiscard]] bool bad_text() const {
    return ended() && said.back().code == ws::CloseCode::InvalidPayload;
  }
};

void feed(ws::FrameDecoder& decoder, Bytes piece, Outcome& outcome) {
  while (!piece.empty() && !outcome.ended()) {
    std::vector<std::byte> out(piece.size());
    const auto progress = decoder.decode(piece, out);
    CHECK(progress.consumed <= piece.size());
    CHECK(progress.produced <= progress.consumed);
    outcome.payload += as_text(Bytes(out).first(progress.produced));
    piece = piece.subspan(progress.consumed);
    if (progress.event == Event::None) {
      CHECK(piece.empty());
      return;
    }
    Said said{outcome.payload.size(), progress.event, "", ws::CloseCode::None, ""};
    if (progress.event == Event::Bad) {
      said.code = decoder.close_code();
      said.error = decoder.error();
      CHECK(said.code == ws::CloseCode::ProtocolError ||
            said.code == ws::CloseCode::UnsupportedData ||
            said.code == ws::CloseCode::InvalidPayload);
      CHECK(!said.error.empty());
      if (said.code == ws::CloseCode::InvalidPayload) said.payload_before = 0;
    } else {
      said.control = as_text(decoder.control());
      CHECK(said.control.size() <= ws::kMaxControlPayload);
    }
    outcome.said.push_back(std::move(said));
  }
}

Outcome decode(Bytes in, const std::vector<std::size_t>& cuts, ws::Payload payload) {
  ws::FrameDecoder decoder(payload);
  Outcome outcome;
  std::size_t from = 0;
  for (const std::size_t cut : cuts) {
    feed(decoder, in.subspan(from, cut - from), outcome);
    from = cut;
  }
  feed(decoder, in.subspan(from), outcome);
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const unsigned choice = input.byte();
  const auto payload = choice % 2 == 0 ? ws::Payload::Binary : ws::Payload::Base64;
  const Bytes stream = input.rest();

  const Outcome whole = decode(stream, {}, payload);
  CHECK(whole.payload.size() <= stream.size());
  for (const std::uint32_t seed : {0U, choice / 2 + 1, choice / 2 + 1000}) {
    const Outcome pieces = decode(stream, fuzz::cuts(seed, stream.size()), payload);
    CHECK(pieces.said == whole.said);
    if (whole.bad_text()) {
      CHECK(pieces.payload.starts_with(whole.payload));
    } else {
      CHECK(pieces.payload == whole.payload);
    }
  }
  return 0;
}

// What RFC 6455 and RFC 9112 make of the bytes that a session has got and given: written down a second time,
// over all of them at once and as simply as it goes, so that it shares no mistake with src/.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"

namespace wsproxy::fuzz {

/// Base64 (RFC 4648 section 4), a character at a time.
class TextModel {
 public:
  /// False: this can never become base64.
  bool take(char c) {
    constexpr std::string_view kAlphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const std::size_t place = group_.size();
    const bool padded = group_.ends_with('=');
    group_ += c;
    if (c == '=') {
      // the bits that stand for nothing have to be zero: the last four of two digits, two of three
      const std::string_view zeros = place == 2 ? "AQgw" : "AEIMQUYcgkosw048";
      if (place < 2 || (!padded && !zeros.contains(group_[place - 1]))) return false;
    } else {
      const std::size_t value = kAlphabet.find(c);
      if (value == std::string_view::npos || padded || ended_) return false;
      bits_ = bits_ << 6 | static_cast<std::uint32_t>(value);
      if (place > 0) data += static_cast<char>(bits_ >> (6 - 2 * place));
    }
    if (place == 3) {
      ended_ = c == '=';
      group_.clear();
    }
    return true;
  }
  /// False: the message ends inside a group.
  bool end_message() {
    ended_ = false;
    return group_.empty();
  }

  std::string data;

 private:
  std::string group_;
  std::uint32_t bits_ = 0;
  bool ended_ = false;  // the message has had its padding
};

/// What a client has said.
struct ClientStory {
  std::string payload;             ///< of its data frames, up to their end or the first fault
  std::vector<std::string> pings;  ///< what has to be sent back
  std::optional<unsigned> close;   ///< the code of its Close frame, 0 for none
  unsigned fault = 0;              ///< the code that its violation has to be answered with
  unsigned controls = 0;           ///< Pings and Pongs
  bool is_text_fault = false;      ///< it is in the base64: how much before it counts is open
};

namespace model {

inline unsigned byte_at(std::string_view text, std::size_t at) {
  return static_cast<unsigned char>(text[at]);
}

inline std::uint64_t number_at(std::string_view text, std::size_t at, std::size_t bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes; ++i) value = value << 8 | byte_at(text, at + i);
  return value;
}

/// Section 8.1 by way of the code points (RFC 3629).
inline bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const unsigned lead = byte_at(text, i);
    const std::size_t size = lead < 0x80       ? 1
                             : lead >> 5 == 6  ? 2
                             : lead >> 4 == 14 ? 3
                             : lead >> 3 == 30 ? 4
                                               : 0;
    if (size == 0 || text.size() - i < size) return false;
    std::uint32_t point = size == 1 ? lead : lead & (0x7fU >> size);
    for (std::size_t k = 1; k < size; ++k) {
      const unsigned next = byte_at(text, i + k);
      if (next >> 6 != 2) return false;
      point = point << 6 | (next & 0x3f);
    }
    constexpr std::uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
    if (point < kLeast[size] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
      return false;
    i += size;
  }
  return true;
}

/// Section 7.4 and IANA's registry.
inline bool may_be_sent(unsigned code) {
  switch (code) {
    case 1000:
    case 1001:
    case 1002:
    case 1003:
    case 1007:
    case 1008:
    case 1009:
    case 1010:
    case 1011:
    case 1012:
    case 1013:
    case 1014: return true;
    default: return code >= 3000 && code <= 4999;
  }
}

inline void close_story(std::string_view payload, ClientStory& story) {
  if (payload.empty()) {
    story.close = 0;
  } else if (payload.size() == 1 || !may_be_sent(static_cast<unsigned>(number_at(payload, 0, 2)))) {
    story.fault = 1002;
  } else if (!is_utf8(payload.substr(2))) {
    story.fault = 1007;
  } else {
    story.close = static_cast<unsigned>(number_at(payload, 0, 2));
  }
}

/// Where the payload begins and how long it is; nothing when the header is not complete, or wrong:
/// then `fault` is set, as soon as the bytes that tell are there.
struct Head {
  std::size_t begins = 0;
  std::uint64_t size = 0;
};
inline std::optional<Head> client_head(std::string_view rest, unsigned& fault) {
  fault = 1002;
  const unsigned first = byte_at(rest, 0);
  const unsigned opcode = first & 15;
  if ((first & 0x70) != 0 || (opcode > 2 && opcode < 8) || opcode > 10) return {};
  if (opcode >= 8 && first < 0x80) return {};
  if (rest.size() > 1) {
    const unsigned second = byte_at(rest, 1);
    if (second < 0x80 || (opcode >= 8 && second > 0x80 + 125)) return {};
    if (second == 0xff && rest.size() > 2 && byte_at(rest, 2) >= 0x80) return {};
    const std::size_t extra = second == 0xfe ? 2 : second == 0xff ? 8 : 0;
    if (rest.size() >= 2 + extra) {
      const std::uint64_t size = extra == 0 ? second - 0x80 : number_at(rest, 2, extra);
      if ((extra == 2 && size < 126) || (extra == 8 && size < 65536)) return {};
      fault = 0;
      if (rest.size() >= 6 + extra) return Head{6 + extra, size};
    }
  }
  fault = 0;
  return {};
}

}  // namespace model

/// Reads all that a client has sent behind its request. More than `most_controls` Pings and Pongs are a flood.
inline ClientStory read_client(std::string_view bytes, bool base64, unsigned most_controls) {
  ClientStory story;
  TextModel text;
  bool in_message = false;
  const auto finish = [&]() -> ClientStory& {
    if (base64) story.payload = text.data;
    return story;
  };
  while (!bytes.empty()) {
    const auto head = model::client_head(bytes, story.fault);
    if (!head) return finish();
    const unsigned first = model::byte_at(bytes, 0);
    const unsigned opcode = first & 15;
    const std::string_view mask = bytes.substr(head->begins - 4, 4);
    if (opcode < 8) {
      if ((opcode == 0) != in_message) story.fault = 1002;
      if (opcode != 0 && !in_message && opcode != (base64 ? 1U : 2U)) story.fault = 1003;
      if (story.fault != 0) return finish();
      in_message = first < 0x80;
    }
    bytes.remove_prefix(head->begins);
    std::string payload(bytes.substr(0, static_cast<std::size_t>(head->size)));
    for (std::size_t i = 0; i < payload.size(); ++i) {
      payload[i] = static_cast<char>(payload[i] ^ mask[i % 4]);
    }
    bytes.remove_prefix(payload.size());
    const bool whole = payload.size() == head->size;
    if (opcode < 8 && !base64) story.payload += payload;
    if (opcode < 8 && base64) {
      for (const char c : payload) story.is_text_fault = story.is_text_fault || !text.take(c);
      if (whole && !in_message) story.is_text_fault = story.is_text_fault || !text.end_message();
      if (story.is_text_fault) story.fault = 1007;
    }
    if (whole && opcode > 8 && ++story.controls > most_controls) story.fault = 1008;
    if (whole && opcode == 9 && story.fault == 0) story.pings.push_back(payload);
    if (whole && opcode == 8) model::close_story(payload, story);
    if (story.fault != 0 || story.close) return finish();
  }
  return finish();
}

/// What a server has said behind its 101.
struct ServerStory {
  std::string payload;
  std::vector<std::string> pongs;
  std::optional<unsigned> close;  ///< 0: without a code
};

/// Every frame has to be one that a server may send; the last may be cut short.
inline ServerStory read_server(std::string_view bytes, bool base64) {
  ServerStory story;
  while (bytes.size() >= 2) {
    CHECK(!story.close);  // nothing follows a Close
    const unsigned opcode = model::byte_at(bytes, 0) - 0x80;
    CHECK(opcode == 8 || opcode == 9 || opcode == 10 || opcode == (base64 ? 1U : 2U));
    const unsigned second = model::byte_at(bytes, 1);
    CHECK(second <= 127 && (opcode < 8 || second <= 125));
    const std::size_t extra = second == 126 ? 2 : second == 127 ? 8 : 0;
    if (bytes.size() < 2 + extra) return story;
    const std::uint64_t size = extra == 0 ? second : model::number_at(bytes, 2, extra);
    CHECK(extra == 0 || size >= (extra == 2 ? 126U : 65536U));
    bytes.remove_prefix(2 + extra);
    const std::string_view payload = bytes.substr(0, static_cast<std::size_t>(size));
    bytes.remove_prefix(payload.size());
    const bool whole = payload.size() == size;
    if (opcode < 8 && base64) {
      TextModel text;
      for (const char c : payload) CHECK(text.take(c));
      CHECK(!whole || text.end_message());
      story.payload += text.data;
    } else if (opcode < 8) {
      story.payload += payload;
    }
    if (!whole) return story;
    if (opcode == 9) CHECK(payload.empty());
    if (opcode == 10) story.pongs.emplace_back(payload);
    if (opcode != 8) continue;
    CHECK(payload.size() != 1);
    story.close = payload.empty() ? 0 : static_cast<unsigned>(model::number_at(payload, 0, 2));
    CHECK(payload.empty() || model::may_be_sent(*story.close));
    CHECK(payload.empty() || model::is_utf8(payload.substr(2)));
  }
  CHECK(bytes.empty() || !story.close);
  return story;
}

/// The requests of a connection and their answers, up to an upgrade.
struct HttpStory {
  std::size_t answers = 0;      ///< whole ones
  std::string_view unfinished;  ///< of the next one's head
  bool upgraded = false;
  bool base64 = false;
  std::string_view to_server;  ///< behind the upgrade: frames
  std::string_view to_client;
};

/// Every answer has to be one to the request in its place, framed as it says.
inline HttpStory read_http(std::string_view client, std::string_view server) {
  HttpStory story;
  bool last = false;
  while (!server.empty()) {
    CHECK(!last);  // nothing follows an answer that announces the end
    const auto head_end = server.find("\r\n\r\n");
    if (head_end == std::string_view::npos) {
      story.unfinished = server;
      return story;
    }
    const std::string_view head = server.substr(0, head_end + 2);
    CHECK(head.starts_with("HTTP/1.1 ") && head[12] == ' ');
    CHECK(head.find("\r\nDate: ") != std::string_view::npos);
    const std::string_view status = head.substr(9, 3);
    server.remove_prefix(head_end + 4);

    while (client.starts_with("\r\n")) client.remove_prefix(2);
    const bool no_body = client.starts_with("HEAD ") || status == "304";
    const auto request_end = client.find("\r\n\r\n");
    if (status == "101") {
      CHECK(request_end != std::string_view::npos && client.starts_with("GET "));
      story.upgraded = true;
      story.base64 = head.find("\r\nSec-WebSocket-Protocol: base64\r\n") != std::string_view::npos;
      story.to_server = client.substr(request_end + 4);
      story.to_client = server;
      return story;
    }
    last = head.find("\r\nConnection: close\r\n") != std::string_view::npos;
    CHECK(last || request_end != std::string_view::npos);
    const auto length = head.find("\r\nContent-Length: ");
    CHECK(length != std::string_view::npos || status == "304");
    std::size_t body = 0;
    if (!no_body) body = std::stoul(std::string(head.substr(length + 18)));
    if (server.size() < body) return story;
    server.remove_prefix(body);
    ++story.answers;
    if (request_end != std::string_view::npos) client.remove_prefix(request_end + 4);
  }
  return story;
}

}  // namespace wsproxy::fuzz

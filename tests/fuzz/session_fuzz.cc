// A whole session in virtual time: the input says what client, target and clock do, byte by byte if it likes.
//
// However they behave, the session never asks for what it does not use, holds no more than its rings do, ends
// by itself, and leaves nothing behind. What reached either side is held against session_model.h.
//
// Two bytes of options, then a list of acts: a byte that says which, and what that one needs.
#include <cerrno>
#include <string>
#include <string_view>

#include "base/check.h"
#include "fuzz/fuzz_input.h"
#include "fuzz/session_world.h"
#include "support/builders.h"

using namespace wsproxy;
using fuzz::World;

namespace {

constexpr std::size_t kMostActs = 200;
constexpr unsigned kMostControls = 20;
constexpr std::size_t kMostBulk = std::size_t{256} * 1024;

constexpr std::string_view kUpgrade =
    "GET /websockify HTTP/1.1\r\nHost: desk.example\r\nUpgrade: websocket\r\nConnection: "
    "Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
constexpr std::string_view kPage =
    "GET / HTTP/1.1\r\nHost: desk.example\r\nAccept-Encoding: gzip\r\n\r\n";

// What has happened that the model does not know of.
struct Happened {
  bool client_failed = false;  // or took no more
  bool target_failed = false;
  bool stopped = false;  // shut_down()
  bool cut = false;
  bool time_passed = false;
  bool may_flood = false;  // with control frames: how many counted, time says
};

void check_http(const World& world, const fuzz::HttpStory& story) {
  if (world.read_of_client().starts_with('\x16')) return;
  // answers are not invented: one a request, and perhaps one that says the last was broken off
  std::size_t heads = 1;
  for (std::size_t at = 0; (at = world.sent.find("\r\n\r\n", at)) != std::string::npos; at += 4)
    ++heads;
  CHECK(story.answers <= heads);
}

// True for everything but what is being written right now.
void check_to_target(const World& world, const fuzz::HttpStory& http, const fuzz::ClientStory& said,
                     const Happened& happened) {
  const std::string got = world.target->written + world.target->held;
  CHECK(said.payload.starts_with(got));
  if (!world.connected || happened.target_failed || happened.may_flood) return;
  // bounded: what was read and not passed on lies in the ring
  CHECK(said.payload.size() - got.size() <= world.ring_bytes());
  const bool all = !said.is_text_fault && !happened.cut && world.target->write_room > 0;
  if (all && http.upgraded) CHECK(got == said.payload);
  const bool relays = world.session && world.session->phase() == session::Phase::Relay;
  if (relays && world.target->write_room > 0) CHECK(world.client->to_read.empty());
}

void check_to_client(const World& world, const fuzz::ClientStory& said,
                     const fuzz::ServerStory& told, const Happened& happened) {
  CHECK(world.read_of_target().starts_with(told.payload));
  std::size_t ping = 0;
  for (const std::string& pong : told.pongs) {  // in order, though some may be left out
    while (ping < said.pings.size() && said.pings[ping] != pong) ++ping;
    CHECK(ping++ < said.pings.size());
  }
  if (happened.client_failed) return;
  const bool relays = world.session && world.session->phase() == session::Phase::Relay;
  if (relays && world.client->write_room > 0) {
    CHECK(told.payload == world.served);  // nothing is left unread, TLS or not
    CHECK(said.pings.empty() || (!told.pongs.empty() && told.pongs.back() == said.pings.back()));
    CHECK(!told.close && said.fault == 0 && !said.close);
  }
  // the first reason to end counts; with only the client to give one, it is known
  const bool clients_fault = !happened.stopped && !happened.time_passed && !world.target->eof &&
                             !happened.target_failed && world.connected;
  if (!clients_fault || !told.close) return;
  if (said.fault != 0) CHECK(told.close == said.fault);
  if (said.close) CHECK(told.close == said.close);
  CHECK(said.fault != 0 || said.close);
}

void check(const World& world, Happened happened) {
  const fuzz::HttpStory http = fuzz::read_http(world.read_of_client(), [&]() -> std::string_view {
    const std::string_view given = world.given_to_client();
    return world.read_of_client().starts_with('\x16') ? given.substr(given.size()) : given;
  }());
  check_http(world, http);
  if (!http.upgraded) {
    // a client that takes no more may not have its whole 101 yet: if it does not wait for that, it is served
    const bool takes_no_more = world.client->write_room == 0 || happened.client_failed;
    constexpr std::string_view kAccepted = "HTTP/1.1 101";
    const bool under_way =
        takes_no_more && kAccepted.starts_with(http.unfinished.substr(0, kAccepted.size()));
    CHECK(under_way || (world.target->written.empty() && world.target->held.empty()));
    return;
  }
  // tokens come back with time, so that then only the model of a client without limit is sure
  const unsigned most = happened.time_passed ? ~0U : kMostControls;
  const fuzz::ClientStory said = fuzz::read_client(http.to_server, http.base64, most);
  happened.may_flood = happened.time_passed && said.controls > kMostControls;
  const fuzz::ServerStory told = fuzz::read_server(http.to_client, http.base64);
  check_to_target(world, http, said, happened);
  check_to_client(world, said, told, happened);
}

class Script {
 public:
  Script(World& world, fuzz::Input& input) : world_(world), input_(input) {}

  void run() {
    for (std::size_t i = 0; i < kMostActs && !input_.rest().empty() && world_.session; ++i) {
      act();
      world_.settle();
    }
  }

  Happened happened;

 private:
  std::string bulk(std::size_t size) {
    bulk_ += size;
    if (bulk_ > kMostBulk) size = 0;
    return test::text_of(test::pattern(size, static_cast<std::uint32_t>(size)));
  }

  void frame(std::string_view payload) {
    const unsigned kind = input_.byte();
    const auto mask = static_cast<std::byte>(kind >> 5);
    world_.client_sends(test::text_of(test::masked_frame(
        static_cast<ws::Opcode>(kind & 15), (kind & 16) == 0, payload, {mask, mask, ~mask, mask})));
  }

  static std::size_t room(std::size_t code) {
    return code == 255 ? std::numeric_limits<std::size_t>::max() : code * code;
  }

  void act() {
    switch (input_.byte() % 24) {
      case 0: world_.client_sends(input_.take(input_.byte())); break;
      case 1: frame(input_.take(input_.byte())); break;
      case 2: frame(bulk(input_.number(2))); break;
      case 3: world_.target_sends(input_.take(input_.byte())); break;
      case 4: world_.target_sends(bulk(input_.number(2))); break;
      case 5: world_.client_sends(std::string(kUpgrade) + "\r\n"); break;
      case 6:
        world_.client_sends(std::string(kUpgrade) + "Sec-WebSocket-Protocol: base64\r\n\r\n");
        break;
      case 7: world_.client_sends(kPage); break;
      case 8: world_.answer_dial(true); break;
      case 9: world_.answer_dial(false); break;
      case 10: world_.client->eof = true; break;
      case 11: reset(*world_.client, happened.client_failed); break;
      case 12: fail(world_.client->write_error, EPIPE, happened.client_failed); break;
      case 13: world_.target->eof = true; break;
      case 14: reset(*world_.target, happened.target_failed); break;
      case 15: fail(world_.target->write_error, ECONNRESET, happened.target_failed); break;
      case 16: world_.client->write_room = room(input_.byte()); break;
      case 17: world_.target->write_room = room(input_.byte()); break;
      case 18: world_.client->read_limit = std::max<std::size_t>(room(input_.byte()), 1); break;
      case 19: world_.target->read_limit = std::max<std::size_t>(room(input_.byte()), 1); break;
      case 20: pass(std::chrono::milliseconds(input_.number(2))); break;
      case 21: stop(input_.byte()); break;
      case 22: tiny_frames(input_.byte()); break;
      case 23: once_too_often(input_.byte()); break;
      default: CHECK(false);
    }
  }

  // TCP's RST: nothing goes either way any more
  static void reset(test::Peer& peer, bool& noted) {
    peer.read_error = peer.write_error = ECONNRESET;
    noted = true;
  }
  static void fail(int& error, int with, bool& noted) {
    error = with;
    noted = true;
  }
  void pass(Duration time) {
    if (!happened.time_passed) check(world_, happened);  // now more is sure than later
    happened.time_passed = true;
    world_.pass(time);
  }
  void stop(unsigned how) {
    if (how % 4 == 3) {
      happened.cut = true;
      world_.session->cut();
    } else {
      happened.stopped = true;
      world_.session->shut_down();
    }
  }
  void tiny_frames(unsigned count) {
    std::string all;
    for (unsigned i = 0; i < count; ++i) {
      const char letter = static_cast<char>('a' + i % 26);
      all += test::text_of(test::masked_frame(ws::Opcode::Binary, true, {&letter, 1}));
    }
    world_.client_sends(all);
  }
  void once_too_often(unsigned what) const {
    if (what % 2 == 1) world_.session->client_event({.read = (what & 2) != 0, .write = true});
    if (what % 4 == 2) world_.session->target_event({.read = (what & 8) != 0, .write = true});
    if (what % 4 == 0) CHECK(world_.session->summary().starts_with("[s1 10.0.0.7:51123] "));
    (void)world_.session->is_moving();
    world_.session->advance();
  }

  World& world_;
  fuzz::Input& input_;
  std::size_t bulk_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const bool quiet = [] {
    std::vector<std::unique_ptr<log::Sink>> sinks;
    sinks.push_back(std::make_unique<fuzz::CheckingSink>());
    log::set_sinks(std::move(sinks));
    return true;
  }();
  (void)quiet;
  fuzz::Input input(data, size);
  const unsigned choice = input.byte();
  const unsigned more = input.byte();
  log::set_level((choice & 64) != 0 ? log::Level::Debug : log::Level::Info);
  World world({.any_host = (choice & 1) == 0,
               .small_ring = (choice & 2) != 0,
               .heartbeat = (choice & 4) == 0,
               .ssl_only = (choice & 56) == 56,
               .max_control_frames = kMostControls,
               .limited_time = (more & 2) != 0,
               .client_keeps_rest = (choice & 8) != 0,
               .target_keeps_rest = (choice & 16) != 0});
  const bool taps_open = (more & 1) == 0;
  Script script(world, input);
  script.run();
  check(world, script.happened);
  if (taps_open && world.session) {
    world.client->write_room = world.target->write_room = std::numeric_limits<std::size_t>::max();
    world.settle();
    check(world, script.happened);
  }
  script.happened.time_passed = true;
  world.run_out();
  world.check_left_behind();
  check(world, script.happened);
  return 0;
}

#include <cctype>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "bench/load/scenarios.h"
#include "bench/load/wire.h"

namespace wsproxy::bench {
namespace {

constexpr int kConnections = 4;
constexpr std::size_t kRead = 131072;

std::string contents_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) give_up("cannot read " + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Names of header fields in lower case.
std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

// A connection that asks for the same file again and again, and anew when the server closes it.
class Downloader : public Loop::Handler {
 public:
  Downloader(Stage& stage, const std::string& file)
      : stage_(stage),
        file_(file),
        wire_(stage.tls.get()),
        block_(kRead),
        request_("GET " + stage.options.path + " HTTP/1.1\r\nHost: 127.0.0.1:" +
                 std::to_string(stage.options.port) + "\r\nConnection: keep-alive\r\n\r\n") {}

  void start() {
    state_ = State::Connecting;
    is_closing_ = false;
    if (!wire_.connect(stage_.options.port)) give_up("cannot connect");
    stage_.loop.add(wire_.fd(), *this, EPOLLOUT);
  }

  void ready(std::uint32_t /*events*/) override {
    if (state_ == State::Connecting) {
      if (wire_.connected() == Wire::Step::Failed) give_up("refused");
      state_ = State::Tls;
    }
    if (state_ == State::Tls) {
      const Wire::Step step = wire_.handshake(false);
      if (step == Wire::Step::Failed) give_up("TLS");
      if (step == Wire::Step::Wait) {
        return stage_.loop.change(wire_.fd(), *this, wire_.wants_write() ? EPOLLOUT : EPOLLIN,
                                  false);
      }
      stage_.loop.change(wire_.fd(), *this, EPOLLIN, false);
      return ask();
    }
    read_some();
  }

  std::uint64_t requests = 0;
  std::uint64_t connections = 1;
  bool stopping = false;
  bool is_idle = false;

 private:
  enum class State : unsigned char { Connecting, Tls, Head, Body };

  void ask() {
    state_ = State::Head;
    head_.clear();
    if (stopping) {
      is_idle = true;
      return;
    }
    const auto sent = wire_.write(as_bytes(request_));
    if (!sent) return again();
    if (*sent != request_.size()) give_up("a request did not fit into the socket");
  }

  void again() {
    if (requests == 0) give_up("the first request was not answered");
    wire_.close();
    ++connections;
    start();
  }

  void read_some() {
    for (;;) {
      const auto got = wire_.read(block_);
      if (!got) {
        if (state_ == State::Head && head_.empty()) return again();
        give_up("the answer was cut off");
      }
      if (*got == 0) return;
      if (!take(as_text(Bytes(block_).first(*got)))) return;
      if (!wire_.is_tls()) return;
    }
  }

  // False when the connection is another one.
  bool take(std::string_view in) {
    if (state_ == State::Body) return take_body(in);
    head_.append(in);
    const std::size_t end = head_.find("\r\n\r\n");
    if (end == std::string::npos) return true;
    const std::string body = head_.substr(end + 4);
    read_head(lower(head_.substr(0, end + 2)));
    head_.clear();
    state_ = State::Body;
    done_ = 0;
    return take_body(body);
  }

  void read_head(const std::string& head) {
    constexpr std::string_view kLength = "content-length: ";
    if (!head.starts_with("http/1.1 200")) give_up("answer: " + head.substr(0, head.find('\r')));
    const std::size_t at = head.find(kLength);
    std::size_t length = 0;
    if (at != std::string::npos) {
      std::from_chars(head.data() + at + kLength.size(), head.data() + head.size(), length);
    }
    if (length != file_.size()) give_up("wrong Content-Length");
    is_closing_ = head.find("connection: close") != std::string::npos;
  }

  bool take_body(std::string_view in) {
    if (std::string_view(file_).substr(done_, in.size()) != in) give_up("wrong bytes");
    done_ += in.size();
    if (done_ < file_.size()) return true;
    ++requests;
    if (is_closing_) {
      again();
      return false;
    }
    ask();
    return true;
  }

  Stage& stage_;
  const std::string& file_;
  Wire wire_;
  std::vector<std::byte> block_;
  std::string request_;
  State state_ = State::Connecting;
  bool is_closing_ = false;  // the server, after this answer
  std::string head_;
  std::size_t done_ = 0;  // of the body
};

}  // namespace

void files(Stage& stage, Report& report) {
  const std::string file = contents_of(stage.options.file);
  std::vector<std::unique_ptr<Downloader>> downloaders;
  const int count = stage.options.connections > 0 ? stage.options.connections : kConnections;
  for (int i = 0; i < count; ++i) {
    downloaders.push_back(std::make_unique<Downloader>(stage, file));
    downloaders.back()->start();
  }
  std::uint64_t requests = 0;
  const auto sum_up = [&] {
    requests = 0;
    for (const auto& each : downloaders) requests += each->requests;
    return false;
  };
  stage.loop.run_for(stage.options.warmup);
  const Stopwatch watch(stage);
  sum_up();
  const std::uint64_t before = requests;
  stage.loop.run_until(stage.options.seconds, sum_up);
  const Stopwatch::Lap lap = watch.lap();
  const auto done = static_cast<double>(requests - before);
  if (done == 0) give_up("no request was answered");
  for (const auto& each : downloaders) each->stopping = true;
  const bool ended = stage.loop.run_until(2, [&] {
    for (const auto& each : downloaders) {
      if (!each->is_idle) return false;
    }
    return true;
  });
  if (!ended) give_up("an answer did not end");
  std::uint64_t connections = 0;
  for (const auto& each : downloaders) connections += each->connections;
  report.add("requests_per_s", per(done, lap.wall));
  report.add("cpu_us_per_request", per(lap.proxy * 1e6, done));
  report.add("bytes", done * static_cast<double>(file.size()));
  report.add("connections", static_cast<double>(connections));
  add_use(report, lap);
}

}  // namespace wsproxy::bench

// What a session needs until its relay runs, freed then: an idle desktop costs little.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/endpoint.h"
#include "http/request.h"
#include "io/stream.h"
#include "session/admission.h"
#include "session/reply_sender.h"
#include "ws/upgrade.h"

namespace wsproxy::session {

class Opening {
 public:
  /// `its_visit` is what the client was let in by.
  explicit Opening(const http::HeadLimits& limits, Admission::Visit its_visit)
      : visit(std::move(its_visit)), limits_(limits), scanner_(limits) {}

  enum class Progress : unsigned char {
    Whole,     ///< head() is the next request's
    Wait,      ///< the client has not sent all of it yet
    Bad,       ///< status() says what to answer
    Gone,      ///< the client has closed, or its connection broke
    GoneHalf,  ///< the same, in the middle of a request
  };

  /// Reads from `client` until a whole head is there; `scratch` is for the length of the call.
  Progress read_head(io::Stream& client, MutableBytes scratch);

  /// Of a bad head: 400 and so on, see HeadScanner and parse_request_head().
  [[nodiscard]] int status() const { return status_; }

  /// Points into what was received, up to next_request(). Without fields when it is bad, but with the
  /// method HEAD, for no answer to that has a body (RFC 9110 section 9.3.2).
  [[nodiscard]] const http::RequestHead& head() const { return head_; }

  /// True if something of a request is there.
  [[nodiscard]] bool has_received() const { return !received_.empty(); }
  /// What came behind the head.
  [[nodiscard]] Bytes behind_head() const {
    return Bytes(received_).subspan(scanner_.head_bytes());
  }

  /// The request is answered: the next one may be there already.
  void next_request();

  /// The head is none: it was refused before it was whole.
  void give_up_head();

  Admission::Visit visit;
  SocketAddress local;  ///< that the request came to
  std::unique_ptr<ReplySender> reply;
  ws::Upgrade upgrade;

 private:
  http::HeadLimits limits_;
  std::vector<std::byte> received_;  // and not used up yet
  http::HeadScanner scanner_;
  http::RequestHead head_;  // points into `received_`
  int status_ = 0;
};

}  // namespace wsproxy::session

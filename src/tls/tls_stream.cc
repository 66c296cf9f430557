#include "tls/tls_stream.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <new>
#include <utility>

#include "base/check.h"
#include "tls/openssl.h"

namespace wsproxy::tls {
namespace {

using io::IoResult;

// Records are gathered up to here before they go out in one write: four full ones and a bit.
constexpr std::size_t kMaxGathered = std::size_t{64} * 1024;

// A browser can use a record only when all of it is there: the first ones after a pause fit into a segment
// each. A stream then gets full ones, which cost least.
constexpr std::size_t kSmallRecord = 1400;
constexpr std::size_t kFullRecord = std::size_t{16} * 1024;
constexpr std::size_t kStreaming = std::size_t{64} * 1024;
constexpr auto kPause = std::chrono::seconds(1);

// OpenSSL answers handshake messages by itself, inside one SSL_read, for as long as there are bytes: a
// flood of KeyUpdates would hold up every other session and fill out_. So a call of ours reads a bounded
// amount, what it may leave behind is bounded, and such messages are counted: honest clients send a few
// in the life of a connection.
constexpr std::size_t kReadBudget = std::size_t{80} * 1024;
constexpr std::size_t kLeastRead =
    std::size_t{4} * 1024;  // from the socket, however little is wanted
constexpr std::size_t kMaxUnflushed = std::size_t{256} * 1024;
constexpr unsigned kMaxHandshakeMessages = 256;

// What a stranger may send before we know him. Browsers' hellos have up to 2 KiB, OpenSSL would take 128;
// certificate chains may have 100. Records of one byte count with their headers.
constexpr std::size_t kMaxHello = std::size_t{16} * 1024;
constexpr std::size_t kMaxHandshake = std::size_t{128} * 1024;

// The BIO command by which OpenSSL hands keys to the kernel; its name is in no public header.
constexpr int kSetKernelTls = 72;

// What one call of a stream has read and not decrypted, and encrypted and not written. Empty between calls.
// NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): memory that nothing is put into is not touched
struct Workspace {
  std::array<std::byte, kReadBudget> in;
  Bytes unread;  // of `in`
  std::array<std::byte, kMaxGathered + 2 * kFullRecord> out;
  std::size_t gathered = 0;  // of `out`
};

Workspace& workspace() {
  thread_local const auto ours = std::make_unique_for_overwrite<Workspace>();
  return *ours;
}

}  // namespace

// The BIO through which OpenSSL reaches the stream below it.
struct BioCallbacks {
  static TlsStream& self(BIO* bio) { return *static_cast<TlsStream*>(BIO_get_data(bio)); }

  static int write(BIO* bio, const char* data, std::size_t size, std::size_t* written) {
    TlsStream& stream = self(bio);
    BIO_clear_retry_flags(bio);
    *written = 0;
    if (stream.kernel_encrypts()) return write_by_kernel(bio, data, size, written);
    if (stream.unflushed() > kMaxUnflushed) {
      stream.failure_ = IoResult::failed(0, "peer takes no TLS records");
      return 0;
    }
    try {  // OpenSSL, which calls, knows no exceptions
      stream.put_out({reinterpret_cast<const std::byte*>(data), size});
    } catch (const std::bad_alloc&) {
      stream.failure_ = IoResult::failed(ENOMEM);
      return 0;
    }
    *written = size;
    return 1;
  }

  // What comes here is not encrypted yet.
  static int write_by_kernel(BIO* bio, const char* data, std::size_t size, std::size_t* written) {
    TlsStream& stream = self(bio);
    const int done = BIO_write_ex(stream.kernel_.get(), data, size, written);
    if (done == 1) return 1;
    if (BIO_should_retry(stream.kernel_.get()) != 0) {
      BIO_set_retry_write(bio);
    } else {
      stream.write_failure_ = IoResult::failed(errno);
    }
    return 0;
  }

  static int read(BIO* bio, char* data, std::size_t size, std::size_t* got) {
    TlsStream& stream = self(bio);
    BIO_clear_retry_flags(bio);
    *got = 0;
    if (stream.failure_.kind == IoResult::Kind::Failed) return 0;
    const IoResult result = stream.take_in({reinterpret_cast<std::byte*>(data), size});
    switch (result.kind) {
      case IoResult::Kind::Ok: *got = result.bytes; return 1;
      case IoResult::Kind::Again: BIO_set_retry_read(bio); return 0;
      case IoResult::Kind::Eof: stream.inner_eof_ = true; return 0;
      case IoResult::Kind::Failed: stream.failure_ = result; return 0;
    }
    return 0;
  }

  static long control(BIO* bio, int command, long number, void* argument) {
    TlsStream& stream = self(bio);
    switch (command) {
      case BIO_CTRL_EOF: return stream.inner_eof_ ? 1 : 0;
      case BIO_CTRL_FLUSH: return 1;  // what was gathered goes out at the end of our call
      case kSetKernelTls:
        // records are read by us; those that we have made go out before the kernel's first one
        if (number == 0 || !stream.kernel_ || !stream.flush_for_kernel()) return 0;
        break;
      default: break;
    }
    return stream.kernel_ ? BIO_ctrl(stream.kernel_.get(), command, number, argument) : 0;
  }

  static void message(int sent, int, int type, const void*, std::size_t, SSL*, void* argument) {
    static_cast<TlsStream*>(argument)->note_message(sent, type);
  }

  static BIO_METHOD* method() {
    static BIO_METHOD* const our_method = [] {
      BIO_METHOD* method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "wsproxy");
      BIO_meth_set_write_ex(method, write);
      BIO_meth_set_read_ex(method, read);
      BIO_meth_set_ctrl(method, control);
      return method;
    }();
    return our_method;
  }
};

void TlsStream::Free::operator()(ssl_st* ssl) const { SSL_free(ssl); }
void TlsStream::Free::operator()(bio_st* bio) const { BIO_free(bio); }

bool TlsStream::kernel_encrypts() const {
#ifdef SSL_OP_ENABLE_KTLS
  return kernel_ && BIO_get_ktls_send(kernel_.get());
#else
  return false;
#endif
}

std::unique_ptr<TlsStream> TlsStream::make(SSL_CTX* context, std::unique_ptr<io::Stream>&& inner,
                                           Role role) {
  Ssl ssl(SSL_new(context));
  BIO* bio = ssl ? BIO_new(BioCallbacks::method()) : nullptr;
  if (bio == nullptr) {
    ERR_clear_error();
    throw std::bad_alloc();
  }
  SSL_set_bio(ssl.get(), bio, bio);
  return std::make_unique<TlsStream>(std::move(ssl), std::move(inner), role);
}

TlsStream::TlsStream(Ssl ssl, std::unique_ptr<io::Stream> inner, Role role)
    : inner_(std::move(inner)),
      handshake_budget_(role == Role::Server ? kMaxHello : kMaxHandshake),
      role_(role),
      ssl_(std::move(ssl)) {
  BIO* bio = SSL_get_rbio(ssl_.get());
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
#ifdef SSL_OP_ENABLE_KTLS
  if ((SSL_get_options(ssl_.get()) & SSL_OP_ENABLE_KTLS) != 0 && inner_->is_plain()) {
    kernel_.reset(BIO_new_socket(inner_->fd(), BIO_NOCLOSE));
  }
#endif
  if (role_ == Role::Server) {
    SSL_set_accept_state(ssl_.get());
  } else {
    SSL_set_connect_state(ssl_.get());
  }
  SSL_set_app_data(ssl_.get(), this);
  SSL_set_msg_callback(ssl_.get(), BioCallbacks::message);
  SSL_set_msg_callback_arg(ssl_.get(), this);
}

TlsStream::~TlsStream() = default;

// --- between OpenSSL and the stream below ---

void TlsStream::begin_reading(std::size_t most) {
  read_budget_ = most;
  drained_ = false;
  workspace().unread = in_;
}

void TlsStream::end_reading() {
  Workspace& shared = workspace();
  if (!in_.empty() || !shared.unread.empty()) in_ = {shared.unread.begin(), shared.unread.end()};
  shared.unread = {};
}

IoResult TlsStream::take_in(MutableBytes to) {
  if (handshaking_ && handshake_budget_ == 0) {
    return IoResult::failed(0, hello_seen_ ? "TLS handshake is too long" : "TLS hello is too long");
  }
  Workspace& shared = workspace();
  if (shared.unread.empty()) {
    // a socket that gave less than it could has no more; what the budget leaves there waits for our next turn
    if (drained_ || read_budget_ == 0) return IoResult::again();
    const MutableBytes room = MutableBytes(shared.in).first(read_budget_);
    const IoResult result = inner_->read(room);
    if (!result.is_ok()) return result;
    drained_ = result.bytes < room.size();
    read_budget_ -= result.bytes;
    shared.unread = room.first(result.bytes);
  }
  std::size_t most = std::min(to.size(), shared.unread.size());
  if (handshaking_) most = std::min(most, handshake_budget_);
  if (handshaking_) handshake_budget_ -= most;
  std::memcpy(to.data(), shared.unread.data(), most);
  shared.unread = shared.unread.subspan(most);
  return IoResult::ok(most);
}

void TlsStream::put_out(Bytes records) {
  Workspace& shared = workspace();
  if (out_.empty() && shared.gathered + records.size() <= shared.out.size()) {
    std::memcpy(shared.out.data() + shared.gathered, records.data(), records.size());
    shared.gathered += records.size();
    return;
  }
  const Bytes gathered = Bytes(shared.out).first(std::exchange(shared.gathered, 0));
  out_.insert(out_.end(), gathered.begin(), gathered.end());
  out_.insert(out_.end(), records.begin(), records.end());
}

// All that was gathered in this call is written or in out_ afterwards.
IoResult TlsStream::flush() {
  Workspace& shared = workspace();
  Bytes rest = Bytes(shared.out).first(std::exchange(shared.gathered, 0));
  if (out_.empty()) {
    rest = rest.subspan(write_inner(rest));
    out_.assign(rest.begin(), rest.end());
  } else {
    out_done_ += write_inner(Bytes(out_).subspan(out_done_));
  }
  // nobody will take the rest: a dead stream must not ask to be written to
  const bool failed = write_failure_.kind == IoResult::Kind::Failed;
  if (!failed && out_done_ < out_.size()) return IoResult::again();
  out_ = {};
  out_done_ = 0;
  return failed ? write_failure_ : IoResult::ok(0);
}

// True if nothing is left. OpenSSL, which asks, knows no exceptions.
bool TlsStream::flush_for_kernel() {
  try {
    return flush().is_ok();
  } catch (const std::bad_alloc&) {
    failure_ = IoResult::failed(ENOMEM);
    return false;
  }
}

// How much of `bytes` went.
std::size_t TlsStream::write_inner(Bytes bytes) {
  std::size_t done = 0;
  while (done < bytes.size() && write_failure_.kind != IoResult::Kind::Failed) {
    const std::array parts = {bytes.subspan(done)};
    const IoResult result = last_ ? inner_->write_last(parts) : inner_->write(parts);
    if (result.kind == IoResult::Kind::Failed) write_failure_ = result;
    if (!result.is_ok()) break;
    done += result.bytes;
  }
  return done;
}

// --- the handshake ---

IoResult TlsStream::handshake() {
  ERR_clear_error();
  begin_reading(std::min(kMaxHello, handshake_budget_));
  const int returned = SSL_do_handshake(ssl_.get());
  end_reading();
  IoResult result = returned == 1 ? IoResult::ok(0) : result_of(returned);
  const unsigned long error = ERR_peek_error();
  if (result.kind == IoResult::Kind::Eof) {
    result = IoResult::failed(0, "closed during the TLS handshake");
  }
  if (result.is_ok()) {
    handshaking_ = false;
    read_was_full_ = true;  // what came with the last flight is inside already
  }
  // whatever came of it, our half of the handshake or the alert that ends it has to go out
  const IoResult flushed = flush();
  if (result.is_ok() && flushed.kind == IoResult::Kind::Failed) result = flushed;
  if (result.kind == IoResult::Kind::Failed) note_handshake_failure(result, error);
  return result;
}

void TlsStream::note_handshake_failure(const IoResult& result, unsigned long error) {
  const bool ours = result.error == 0 && ERR_GET_LIB(error) == ERR_LIB_SSL;
  const int reason = ours ? ERR_GET_REASON(error) : 0;
  if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED && !refusal_.empty()) {
    handshake_failure_ = refusal_;
  } else if (reason == SSL_R_WRONG_VERSION_NUMBER && role_ == Role::Client) {
    handshake_failure_ = "server speaks no TLS";
  } else {
    handshake_failure_ = describe(result);
  }
}

void set_refusal(SSL* ssl, std::string why) {
  static_cast<TlsStream*>(SSL_get_app_data(ssl))->refusal_ = std::move(why);
}

const char* TlsStream::version() const { return SSL_get_version(ssl_.get()); }

std::string TlsStream::peer_name() const {
  return subject_name(SSL_get0_peer_certificate(ssl_.get()));
}

void TlsStream::note_message(int sent, int type) {
  if (handshaking_) {
    if (sent != 0 || type != SSL3_RT_HANDSHAKE || hello_seen_) return;
    hello_seen_ = true;
    if (role_ == Role::Server) handshake_budget_ += kMaxHandshake - kMaxHello;
    return;
  }
  if (sent == 0 && type == SSL3_RT_HANDSHAKE && kernel_encrypts()) {
    // our half would go on with the old key, which OpenSSL does not exchange in the kernel
    failure_ = IoResult::failed(0, "no TLS KeyUpdate while the kernel encrypts");
    return;
  }
  // an attempt to renegotiate is not shown to us, the alert that refuses it is
  const bool counts = sent == 0 ? type == SSL3_RT_HANDSHAKE : type == SSL3_RT_ALERT;
  if (counts && ++handshake_messages_ > kMaxHandshakeMessages) {
    failure_ = IoResult::failed(0, "too many TLS handshake messages");
  }
}

IoResult TlsStream::result_of(int returned) {
  switch (SSL_get_error(ssl_.get(), returned)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: return IoResult::again();
    case SSL_ERROR_ZERO_RETURN: return IoResult::eof();
    case SSL_ERROR_SYSCALL:
      if (failure_.kind == IoResult::Kind::Failed) return failure_;
      return IoResult::eof();
    default: {
      if (failure_.kind == IoResult::Kind::Failed) return failure_;
      const char* why = ERR_reason_error_string(ERR_peek_error());
      return IoResult::failed(0, why == nullptr ? "TLS failure" : why);
    }
  }
}

// --- bytes ---

IoResult TlsStream::read(MutableBytes out) {
  std::size_t total = 0;
  IoResult last;
  read_was_full_ = true;
  end_seen_ = false;
  begin_reading(std::clamp(out.size(), kLeastRead, kReadBudget));
  while (total < out.size()) {
    ERR_clear_error();
    std::size_t got = 0;
    const int returned = SSL_read_ex(ssl_.get(), out.data() + total, out.size() - total, &got);
    if (returned == 1) {
      total += got;
      continue;
    }
    read_was_full_ = false;
    const IoResult result = result_of(returned);
    if (total == 0) last = result;
    end_seen_ =
        total > 0 && result.kind != IoResult::Kind::Again;  // it comes again with the next read
    break;
  }
  end_reading();
  if (workspace().gathered > 0 || !out_.empty()) flush();  // an answer to a KeyUpdate, or an alert
  return total > 0 ? IoResult::ok(total) : last;
}

IoResult TlsStream::peek(MutableBytes) { return IoResult::failed(EOPNOTSUPP); }

IoResult TlsStream::write(std::span<const Bytes> parts) {
  if (const IoResult flushed = flush(); !flushed.is_ok()) return flushed;
  if (kernel_encrypts()) return write_to_kernel(parts);
  const std::size_t record = record_size();
  std::size_t total = 0;
  IoResult last = IoResult::ok(0);
  for (Bytes part : parts) {
    while (!part.empty() && last.is_ok() && workspace().gathered < kMaxGathered) {
      ERR_clear_error();
      std::size_t written = 0;
      const std::size_t size = std::min(part.size(), record);
      const int returned = SSL_write_ex(ssl_.get(), part.data(), size, &written);
      if (returned != 1) last = result_of(returned);
      total += written;
      part = part.subspan(written);
    }
  }
  streamed_ += total;
  // what the socket does not take now stays in out_: those bytes count as written
  const IoResult flushed = flush();
  if (flushed.kind == IoResult::Kind::Failed) return flushed;
  return total > 0 ? IoResult::ok(total) : last;
}

// The kernel makes the records. Not by way of OpenSSL: of what the socket does not take it keeps no copy but
// where it was, and our callers' memory has other bytes by then, perhaps somebody else's.
IoResult TlsStream::write_to_kernel(std::span<const Bytes> parts) {
  const IoResult result = inner_->write(parts);
  if (result.kind == IoResult::Kind::Failed) write_failure_ = result;
  return result;
}

// Its records, the close_notify behind them and the FIN.
IoResult TlsStream::write_last(std::span<const Bytes> parts) {
  last_ = true;
  return write(parts);
}

std::size_t TlsStream::record_size() {
  const SteadyTime now = std::chrono::steady_clock::now();
  if (now - std::exchange(written_at_, now) > kPause) streamed_ = 0;
  return streamed_ < kStreaming ? kSmallRecord : kFullRecord;
}

// SSL_has_pending alone counts half a record as well, which no read can give.
bool TlsStream::has_buffered() const {
  return end_seen_ || (read_was_full_ && (!in_.empty() || SSL_has_pending(ssl_.get()) == 1));
}

void TlsStream::shutdown_write() {
  ERR_clear_error();
  if (!handshaking_) SSL_shutdown(ssl_.get());
  last_ = true;
  flush();
  ERR_clear_error();
  inner_->shutdown_write();
}

io::Interest TlsStream::interest(io::Interest wanted) const {
  if (handshaking_) wanted.read = true;
  if (!out_.empty()) wanted.write = true;
  return wanted;
}

}  // namespace wsproxy::tls

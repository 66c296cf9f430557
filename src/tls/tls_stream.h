// TLS over another stream.
#pragma once

#include <memory>
#include <new>
#include <string>
#include <vector>

#include "base/clock.h"
#include "io/stream.h"

struct bio_st;
struct ssl_st;

struct ssl_ctx_st;

namespace wsproxy::tls {

/// OpenSSL reads and writes records through the inner stream by way of two buffers that all streams share,
/// so that one system call carries several records, and none asks a socket that has nothing. What has to
/// wait (the socket takes no more, the reader has no room) is kept in the stream; an idle one keeps nothing.
/// One thread runs all streams.
///
/// What the peer can make us do is bounded: 16 KiB of a client's hello, 128 KiB of a handshake, 80 KiB in
/// one read, 256 handshake messages after the handshake.
class TlsStream final : public io::Stream {
 public:
  enum class Role : unsigned char { Server, Client };

  struct Free {
    void operator()(ssl_st* ssl) const;
    void operator()(bio_st* bio) const;
  };
  using Ssl = std::unique_ptr<ssl_st, Free>;

  /// Over `inner`, which is taken only if all is well. Out of memory: std::bad_alloc, as from new.
  static std::unique_ptr<TlsStream> make(ssl_ctx_st* context, std::unique_ptr<io::Stream>&& inner,
                                         Role role);
  /// For make(): `ssl` has its BIO.
  TlsStream(Ssl ssl, std::unique_ptr<io::Stream> inner, Role role);
  ~TlsStream() override;

  /// For those who have more to set before the handshake.
  [[nodiscard]] ssl_st* ssl() const { return ssl_.get(); }

  /// Goes on with the handshake. Ok: done. Again: wait for interest({}). Failed: see
  /// handshake_failure().
  io::IoResult handshake();

  /// Why the handshake failed, in words: "self-signed certificate", "connection reset by peer".
  [[nodiscard]] std::string handshake_failure() const { return handshake_failure_; }

  /// "TLSv1.3", for the log.
  [[nodiscard]] const char* version() const;

  /// Who the peer's certificate names (its common name), for the log; empty if it showed none.
  [[nodiscard]] std::string peer_name() const;

  io::IoResult read(MutableBytes out) override;
  io::IoResult peek(MutableBytes out) override;
  io::IoResult write(std::span<const Bytes> parts) override;
  io::IoResult write_last(std::span<const Bytes> parts) override;
  io::IoResult discard(MutableBytes scratch) override { return inner_->discard(scratch); }
  [[nodiscard]] std::size_t unflushed() const override { return out_.size() - out_done_; }
  [[nodiscard]] bool has_buffered() const override;
  void shutdown_write() override;
  [[nodiscard]] io::Interest interest(io::Interest wanted) const override;
  [[nodiscard]] int fd() const override { return inner_->fd(); }

 private:
  friend struct BioCallbacks;
  friend void set_refusal(ssl_st* ssl, std::string why);

  void begin_reading(std::size_t most);
  void end_reading();
  io::IoResult take_in(MutableBytes to);
  void put_out(Bytes records);
  io::IoResult write_to_kernel(std::span<const Bytes> parts);
  std::size_t record_size();
  [[nodiscard]] bool kernel_encrypts() const;
  void note_message(int sent, int type);
  io::IoResult result_of(int returned);
  void note_handshake_failure(const io::IoResult& result, unsigned long error);
  io::IoResult flush();
  bool flush_for_kernel();
  std::size_t write_inner(Bytes bytes);

  std::unique_ptr<io::Stream> inner_;
  std::vector<std::byte> in_;        // records that the reader had no room for
  std::vector<std::byte> out_;       // records that the socket has not taken
  std::size_t out_done_ = 0;         // of out_: taken
  io::IoResult failure_;             // why nothing more can be read, once that is so
  io::IoResult write_failure_;       // the same for writing; what was received may still be read
  std::size_t read_budget_ = 0;      // bytes that may still be read in this call of ours
  std::size_t handshake_budget_;     // bytes that may still come before the handshake is done
  unsigned handshake_messages_ = 0;  // after the handshake: KeyUpdates, attempts to renegotiate
  std::size_t streamed_ = 0;         // bytes written since the last pause
  SteadyTime written_at_;
  std::string refusal_;  // why the peer's certificate was refused
  std::string handshake_failure_;
  Role role_;
  bool last_ = false;  // shutdown_write() comes next
  bool inner_eof_ = false;
  bool drained_ = false;        // of this call: the socket gave less than was asked for
  bool read_was_full_ = false;  // the last read filled its buffer: there may be more inside
  bool end_seen_ = false;       // the last read met an end behind its bytes: the next one gives it
  bool handshaking_ = true;
  bool hello_seen_ = false;  // the peer's first handshake message was received whole
  std::unique_ptr<bio_st, Free>
      kernel_;  // where kTLS may be: takes the keys, and we write through it
  Ssl ssl_;     // last: freed first, while the BIO's buffers are alive
};

void set_refusal(ssl_st* ssl, std::string why);

/// For callbacks that check certificates: why the peer's is refused, for handshake_failure(). `ssl` is
/// that of a TlsStream. Without memory for the words there are none: OpenSSL, which calls, knows no
/// exceptions.
template <typename Words>
void note_refusal(ssl_st* ssl, Words words) {
  try {
    set_refusal(ssl, words());
  } catch (const std::bad_alloc&) {  // NOLINT(bugprone-empty-catch): then there are none
  }
}

}  // namespace wsproxy::tls

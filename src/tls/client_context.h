// Whom we trust, and who we are, as the TLS client of a target.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "io/stream.h"
#include "tls/options.h"

struct ssl_ctx_st;

namespace wsproxy::tls {

class TlsStream;

/// Immutable once loaded. TLS 1.2 and newer. A target is known by its pin, else by an authority's word
/// for its name, else (insecure) not at all.
class ClientContext {
 public:
  /// Errors: Tls or Invalid, naming the file or the pin; options that exclude each other.
  static Result<std::shared_ptr<const ClientContext>> load(const ClientOptions& options);

  /// A client-side stream over `inner` to `host` (a name or numeric address): the handshake is still to be
  /// made, and this object has to outlive it.
  [[nodiscard]] std::unique_ptr<TlsStream> connect(std::unique_ptr<io::Stream> inner,
                                                   std::string_view host) const;

  /// What the operator should know though it works: nothing is checked, our certificate has expired.
  [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  friend struct PinCheck;
  struct Free {
    void operator()(ssl_ctx_st* context) const;
  };
  using Sha256 = std::array<unsigned char, 32>;

  static Result<Sha256> parse_pin(std::string_view text);

  std::unique_ptr<ssl_ctx_st, Free> context_;
  Sha256 pin_{};
  bool checks_name_ = true;
  std::vector<std::string> warnings_;
};

}  // namespace wsproxy::tls

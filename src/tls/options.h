// What TLS can be told, without knowing where it was configured.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tls/secret.h"

namespace wsproxy::tls {

class TicketKeys;

// NOLINTBEGIN(readability-redundant-member-init): g++ wants them where designated initializers leave some out

/// The oldest version that is spoken. Every newer one is spoken too.
enum class MinVersion : std::uint8_t {
  Tls11,  ///< needs OpenSSL's security level 0, which allows SHA-1 and short keys: warned about
  Tls12,  ///< the default
  Tls13,
};

struct CertificateFiles {
  std::string cert{};  ///< certificate and the chain behind it
  std::string key{};   ///< empty: the key is in the certificate's file
};

/// Us as the server, to browsers. Files are PEM.
struct ServerOptions {
  std::string cert{};                    ///< certificate and the chain behind it
  std::string key{};                     ///< empty: the key is in the certificate's file
  Secret key_password{};                 ///< of every encrypted key; empty: none may be
  std::vector<CertificateFiles> more{};  ///< for clients that ask for their names
  std::vector<std::string> ocsp{};       ///< responses in DER, to be stapled
  MinVersion min_version = MinVersion::Tls12;
  std::string ciphers{};       ///< OpenSSL's list for TLS 1.2 and older; empty: ours
  std::string ciphersuites{};  ///< of TLS 1.3; empty: OpenSSL's
  bool verify_client = false;  ///< only clients with a certificate that an authority signed
  std::string ca_file{};       ///< those authorities; empty: the system's
  std::shared_ptr<TicketKeys> tickets{};  ///< null: keys that go with the context
};

/// Us as the client, to the target.
struct ClientOptions {
  std::string
      ca_file{};  ///< who may sign the target's certificate; empty: the system's authorities
  std::string pin_sha256{};  ///< of the certificate (DER), in hex, colons or not; then nothing else
                             ///< counts: neither authority nor name nor dates
  bool insecure = false;     ///< any certificate will do
  std::string cert{};        ///< what we show if asked; empty: nothing
  std::string key{};         ///< empty: the key is in the certificate's file
  Secret key_password{};
};

// NOLINTEND(readability-redundant-member-init)

}  // namespace wsproxy::tls

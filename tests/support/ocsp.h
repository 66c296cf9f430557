// OCSP responses made on the spot.
#pragma once

#include <gtest/gtest.h>
#include <openssl/ocsp.h>

#include <memory>
#include <string>

#include "support/certificate.h"

namespace wsproxy::test {

// NOLINTBEGIN(readability-redundant-member-init): see tls/options.h
struct OcspOptions {
  long from = -60;  ///< seconds from now
  long until = 3600;
  bool endless = false;                 ///< without a word about `until`
  const Certificate* signer = nullptr;  ///< null: the issuer
  bool revoked = false;
};
// NOLINTEND(readability-redundant-member-init)

/// What `issuer` says about `certificate`, in DER.
inline std::string ocsp_response(const Certificate& certificate, const Certificate& issuer,
                                 const OcspOptions& options = {}) {
  const auto in_seconds = [](long seconds) {
    return std::unique_ptr<ASN1_TIME, decltype(&ASN1_TIME_free)>(
        X509_time_adj_ex(nullptr, 0, seconds, nullptr), ASN1_TIME_free);
  };
  const auto from = in_seconds(options.from);
  const auto until = in_seconds(options.until);
  const auto long_ago = in_seconds(-7200);
  const std::unique_ptr<OCSP_BASICRESP, decltype(&OCSP_BASICRESP_free)> basic(OCSP_BASICRESP_new(),
                                                                              OCSP_BASICRESP_free);
  const std::unique_ptr<OCSP_CERTID, decltype(&OCSP_CERTID_free)> id(
      OCSP_cert_to_id(EVP_sha1(), certificate.x509(), issuer.x509()), OCSP_CERTID_free);
  EXPECT_NE(
      OCSP_basic_add1_status(basic.get(), id.get(),
                             options.revoked ? V_OCSP_CERTSTATUS_REVOKED : V_OCSP_CERTSTATUS_GOOD,
                             0, options.revoked ? long_ago.get() : nullptr, from.get(),
                             options.endless ? nullptr : until.get()),
      nullptr);
  const Certificate& signer = options.signer == nullptr ? issuer : *options.signer;
  EXPECT_EQ(OCSP_basic_sign(basic.get(), signer.x509(), signer.key(), EVP_sha256(), nullptr, 0), 1);
  const std::unique_ptr<OCSP_RESPONSE, decltype(&OCSP_RESPONSE_free)> response(
      OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic.get()), OCSP_RESPONSE_free);
  unsigned char* der = nullptr;
  const int size = i2d_OCSP_RESPONSE(response.get(), &der);
  std::string text(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return text;
}

}  // namespace wsproxy::test

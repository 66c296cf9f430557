// An authority's word, fresh and signed, that a certificate is not revoked (RFC 6960).
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"

struct ocsp_response_st;
struct ocsp_basic_response_st;
struct x509_st;
struct stack_st_X509;

namespace wsproxy::tls {

class OcspResponse {
 public:
  using Time = std::chrono::system_clock::time_point;

  /// Reads a response in DER, as `openssl ocsp -respout` and certbot's helpers write it.
  /// Errors: Tls, naming the file: not readable, not a regular file, over 64 KiB, no response, one that
  /// says nothing.
  static Result<OcspResponse> read(const std::string& file);

  /// Looks for what it says about `certificate`, by serial number and issuer; from then on it is about that.
  bool finds(const x509_st* certificate);

  /// Whether clients will take it for the certificate found. If its issuer is in `chain`, signature and
  /// key are checked too. Errors: Tls, naming the file.
  Status check(const x509_st* certificate, const stack_st_X509* chain, Time now) const;

  [[nodiscard]] bool is_fresh(Time now) const { return now >= from_ && now < until_; }
  [[nodiscard]] bool says_revoked() const { return revoked_; }
  [[nodiscard]] const std::string& file() const { return file_; }
  [[nodiscard]] const std::vector<unsigned char>& der() const { return der_; }

 private:
  struct Free {
    void operator()(ocsp_basic_response_st* response) const;
  };

  std::string file_;
  std::vector<unsigned char> der_;
  std::unique_ptr<ocsp_basic_response_st, Free> basic_;
  int index_ = -1;  // of the certificate's part in it
  Time from_;
  Time until_;
  bool revoked_ = false;
};

}  // namespace wsproxy::tls

#include "tls/ocsp_response.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <ctime>

#include "base/unique_fd.h"
#include "tls/openssl.h"

namespace wsproxy::tls {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{64} * 1024;
constexpr auto kClockSkew = std::chrono::minutes(5);

struct Free {
  void operator()(OCSP_RESPONSE* response) const { OCSP_RESPONSE_free(response); }
  void operator()(OCSP_CERTID* id) const { OCSP_CERTID_free(id); }
  void operator()(X509_STORE* store) const { X509_STORE_free(store); }
};

std::unexpected<Error> bad(const std::string& file, const std::string& why) {
  return fail(Errc::Tls, "OCSP response " + file + ": " + why);
}

Result<std::vector<unsigned char>> read_file(const std::string& file) {
  // O_NONBLOCK: a FIFO must not hold us up before we see what it is
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat info{};
  if (!fd || ::fstat(fd.get(), &info) != 0) return bad(file, describe_errno(errno));
  if (!S_ISREG(info.st_mode)) return bad(file, "not a regular file");
  std::vector<unsigned char> bytes(kMaxBytes + 1);
  std::size_t size = 0;
  while (size < bytes.size()) {
    const ssize_t got = ::read(fd.get(), bytes.data() + size, bytes.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return bad(file, describe_errno(errno));
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > kMaxBytes) return bad(file, "larger than " + std::to_string(kMaxBytes) + " bytes");
  bytes.resize(size);
  return bytes;
}

// 1970 for what is no time.
OcspResponse::Time time_of(const ASN1_GENERALIZEDTIME* time) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return {};
  return std::chrono::system_clock::from_time_t(::timegm(&parts));
}

X509* issuer_of(const X509* certificate, const STACK_OF(X509) * chain) {
  for (int i = 0; i < sk_X509_num(chain); ++i) {
    X509* candidate = sk_X509_value(chain, i);
    // const_cast: OpenSSL 3 reads only
    if (X509_check_issued(candidate, const_cast<X509*>(certificate)) == X509_V_OK) return candidate;
  }
  return nullptr;
}

}  // namespace

void OcspResponse::Free::operator()(OCSP_BASICRESP* response) const {
  OCSP_BASICRESP_free(response);
}

Result<OcspResponse> OcspResponse::read(const std::string& file) {
  auto bytes = read_file(file);
  if (!bytes) return std::unexpected(bytes.error());
  ERR_clear_error();
  const unsigned char* at = bytes->data();
  const std::unique_ptr<OCSP_RESPONSE, tls::Free> response(
      d2i_OCSP_RESPONSE(nullptr, &at, static_cast<long>(bytes->size())));
  ERR_clear_error();
  if (!response || at != bytes->data() + bytes->size()) return bad(file, "not one in DER");
  const int status = OCSP_response_status(response.get());
  if (status != OCSP_RESPONSE_STATUS_SUCCESSFUL) {
    return bad(file, std::string("it says only: ") + OCSP_response_status_str(status));
  }
  OcspResponse result;
  result.file_ = file;
  result.der_ = std::move(*bytes);
  result.basic_.reset(OCSP_response_get1_basic(response.get()));
  ERR_clear_error();
  if (!result.basic_) return bad(file, "of a kind that nobody knows");
  return result;
}

bool OcspResponse::finds(const X509* certificate) {
  for (int i = 0; i < OCSP_resp_count(basic_.get()); ++i) {
    OCSP_SINGLERESP* single = OCSP_resp_get0(basic_.get(), i);
    // const_cast: OpenSSL 3 reads only
    auto* id = const_cast<OCSP_CERTID*>(OCSP_SINGLERESP_get0_id(single));
    ASN1_OCTET_STRING* name_hash = nullptr;
    ASN1_OBJECT* algorithm = nullptr;
    ASN1_INTEGER* serial = nullptr;
    OCSP_id_get0_info(&name_hash, &algorithm, nullptr, &serial, id);
    const EVP_MD* digest = EVP_get_digestbyobj(algorithm);
    std::array<unsigned char, EVP_MAX_MD_SIZE> ours{};
    unsigned size = 0;
    if (digest == nullptr || ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(certificate)) != 0 ||
        X509_NAME_digest(X509_get_issuer_name(certificate), digest, ours.data(), &size) != 1 ||
        std::string_view(reinterpret_cast<const char*>(ours.data()), size) !=
            std::string_view(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name_hash)),
                             static_cast<std::size_t>(ASN1_STRING_length(name_hash)))) {
      continue;
    }
    ASN1_GENERALIZEDTIME* from = nullptr;
    ASN1_GENERALIZEDTIME* until = nullptr;
    const int status = OCSP_single_get0_status(single, nullptr, nullptr, &from, &until);
    index_ = i;
    from_ = time_of(from) - kClockSkew;
    until_ = time_of(until);
    revoked_ = status == V_OCSP_CERTSTATUS_REVOKED;
    return true;
  }
  ERR_clear_error();
  return false;
}

Status OcspResponse::check(const X509* certificate, const STACK_OF(X509) * chain, Time now) const {
  if (until_ == Time{}) return bad(file_, "it does not say how long it holds");
  if (now >= until_) return bad(file_, "it has expired");
  if (now < from_) return bad(file_, "it is not valid yet");
  X509* issuer = issuer_of(certificate, chain);
  if (issuer == nullptr) return {};
  ERR_clear_error();
  const OCSP_SINGLERESP* single = OCSP_resp_get0(basic_.get(), index_);
  // const_cast: OpenSSL 3 reads only
  auto* id = const_cast<OCSP_CERTID*>(OCSP_SINGLERESP_get0_id(single));
  ASN1_OBJECT* algorithm = nullptr;
  OCSP_id_get0_info(nullptr, &algorithm, nullptr, nullptr, id);
  const std::unique_ptr<OCSP_CERTID, tls::Free> ours(
      OCSP_cert_to_id(EVP_get_digestbyobj(algorithm), certificate, issuer));
  const std::unique_ptr<X509_STORE, tls::Free> store(X509_STORE_new());
  X509_STORE_add_cert(store.get(), issuer);
  X509_STORE_set_flags(store.get(), X509_V_FLAG_PARTIAL_CHAIN);  // an intermediate will do
  // const_cast: OpenSSL 3 reads only
  auto* others = const_cast<STACK_OF(X509)*>(chain);
  const bool good = ours && OCSP_id_cmp(ours.get(), id) == 0 &&
                    OCSP_basic_verify(basic_.get(), others, store.get(), 0) == 1;
  ERR_clear_error();
  if (!good) return bad(file_, "it is not signed by the authority of its certificate");
  return {};
}

}  // namespace wsproxy::tls

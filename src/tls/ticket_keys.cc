#include "tls/ticket_keys.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>

namespace wsproxy::tls {
namespace {

bool set_mac(EVP_MAC_CTX* mac, std::span<unsigned char> key) {
  char digest[] = "SHA256";
  const std::array<OSSL_PARAM, 3> parameters = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.data(), key.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_end()};
  return EVP_MAC_CTX_set_params(mac, parameters.data()) == 1;
}

// EVP_aes_256_cbc() is looked up by its name each time that it is used.
const EVP_CIPHER* cipher_of_tickets() {
  static const EVP_CIPHER* const fetched = EVP_CIPHER_fetch(nullptr, "AES-256-CBC", nullptr);
  return fetched;
}

}  // namespace

TicketKeys::~TicketKeys() {
  wipe(current_);
  wipe(previous_);
}

void TicketKeys::wipe(std::optional<TicketKey>& key) {
  if (key) OPENSSL_cleanse(&*key, sizeof *key);
  key.reset();
}

// When it is asked, as an idle daemon stays asleep. After a long pause there is no previous one either.
void TicketKeys::rotate() {
  const SteadyTime now = clock_.now();
  if (previous_ && now - previous_->made >= 2 * kLifetime) wipe(previous_);
  if (current_ && now - current_->made < kLifetime) return;
  wipe(previous_);
  if (current_ && now - current_->made < 2 * kLifetime) previous_ = current_;
  wipe(current_);
  TicketKey& key = current_.emplace();
  key.made = now;
  if (RAND_bytes_ex(nullptr, key.name.data(), key.name.size(), 0) != 1 ||
      RAND_priv_bytes_ex(nullptr, key.cipher.data(), key.cipher.size(), 0) != 1 ||
      RAND_priv_bytes_ex(nullptr, key.mac.data(), key.mac.size(), 0) != 1) {
    wipe(current_);
  }
}

bool TicketKeys::seal(Name name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac) {
  rotate();
  if (!current_ || RAND_bytes(iv, 16) != 1) return false;
  std::ranges::copy(current_->name, name.begin());
  return EVP_EncryptInit_ex2(cipher, cipher_of_tickets(), current_->cipher.data(), iv, nullptr) ==
             1 &&
         set_mac(mac, current_->mac);
}

TicketKeys::Opened TicketKeys::open(Name name, const unsigned char* iv, EVP_CIPHER_CTX* cipher,
                                    EVP_MAC_CTX* mac) {
  rotate();
  for (auto* key : {&current_, &previous_}) {
    if (!*key || !std::ranges::equal((*key)->name, name)) continue;
    if (EVP_DecryptInit_ex2(cipher, cipher_of_tickets(), (*key)->cipher.data(), iv, nullptr) != 1 ||
        !set_mac(mac, (*key)->mac)) {
      return Opened::No;
    }
    return key == &current_ ? Opened::Current : Opened::Previous;
  }
  return Opened::No;
}

}  // namespace wsproxy::tls

// What OpenSSL keeps in memory for a TLS connection that does nothing: what every proxy built upon it pays.
//
//   bench_openssl_memory CERT.pem KEY.pem
//
// Makes a number of TLS 1.3 connections within this process, with buffers released as wsproxy has it, and prints in
// JSON who in OpenSSL's source has allocated what is left of the servers' sides. Sizes as malloc deals them out: 16
// bytes more for each block, rounded.
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

constexpr int kConnections = 200;

struct Block {
  long* sum;  // of the file that asked for it, or null
  std::size_t size;
};

// By the address of a file's name: OpenSSL's __FILE__ of each place.
std::map<const char*, long> bytes_of;
bool counts = false;  // only the servers' sides

std::size_t dealt_out(std::size_t size) {
  return std::max<std::size_t>(32, (size + 8 + 15) / 16 * 16);
}

void* allocate(std::size_t size, const char* file, int) {
  auto* block = size == 0 ? nullptr : static_cast<Block*>(std::malloc(sizeof(Block) + size));
  if (block == nullptr) return nullptr;
  *block = {counts ? &bytes_of[file] : nullptr, size};
  if (counts) *block->sum += static_cast<long>(dealt_out(size));
  return block + 1;
}

void release(void* memory, const char*, int) {
  if (memory == nullptr) return;
  auto* block = static_cast<Block*>(memory) - 1;
  if (block->sum != nullptr) *block->sum -= static_cast<long>(dealt_out(block->size));
  std::free(block);
}

void* resize(void* memory, std::size_t size, const char* file, int line) {
  if (memory == nullptr) return allocate(size, file, line);
  void* moved = size == 0 ? nullptr : allocate(size, file, line);
  if (moved != nullptr)
    std::memcpy(moved, memory, std::min(size, (static_cast<Block*>(memory) - 1)->size));
  release(memory, file, line);
  return moved;
}

template <typename Call>
auto counted(Call call) {
  counts = true;
  auto result = call();
  counts = false;
  return result;
}

struct Connection {
  SSL* server;
  SSL* client;
};

Connection connect(SSL_CTX* server_context, SSL_CTX* client_context) {
  Connection pair{counted([&] { return SSL_new(server_context); }), SSL_new(client_context)};
  BIO* to_server = BIO_new(BIO_s_mem());
  BIO* to_client = BIO_new(BIO_s_mem());
  BIO_up_ref(to_server);
  BIO_up_ref(to_client);
  SSL_set_bio(pair.server, to_server, to_client);
  SSL_set_bio(pair.client, to_client, to_server);
  SSL_set_accept_state(pair.server);
  SSL_set_connect_state(pair.client);
  for (int i = 0; i < 4; ++i) {
    SSL_do_handshake(pair.client);
    counted([&] { return SSL_do_handshake(pair.server); });
  }
  char byte = 'x';
  if (SSL_write(pair.client, &byte, 1) != 1 ||
      counted([&] { return SSL_read(pair.server, &byte, 1); }) != 1 ||
      counted([&] { return SSL_write(pair.server, &byte, 1); }) != 1 ||
      SSL_read(pair.client, &byte, 1) != 1) {
    std::fputs("no handshake\n", stderr);
    std::exit(1);
  }
  return pair;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3 || CRYPTO_set_mem_functions(allocate, resize, release) != 1) {
    std::fputs("usage: bench_openssl_memory CERT.pem KEY.pem\n", stderr);
    return 2;
  }
  SSL_CTX* server = SSL_CTX_new(TLS_server_method());
  SSL_CTX* client = SSL_CTX_new(TLS_client_method());
  if (SSL_CTX_use_certificate_chain_file(server, argv[1]) != 1 ||
      SSL_CTX_use_PrivateKey_file(server, argv[2], SSL_FILETYPE_PEM) != 1) {
    std::fputs("no certificate, or no key\n", stderr);
    return 1;
  }
  SSL_CTX_set_mode(server, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(server, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(server, 1);
  connect(server, client);  // what is looked up once is there
  for (auto& [name, bytes] : bytes_of) bytes = 0;
  std::vector<Connection> connections;
  connections.reserve(kConnections);
  for (int i = 0; i < kConnections; ++i) connections.push_back(connect(server, client));

  std::map<std::string, long> by_file;
  for (const auto& [name, bytes] : bytes_of) {
    const std::string_view path(name);
    const std::string file(path.substr(path.find_first_not_of("./")));
    if (file != "crypto/buffer/buffer.c")
      by_file[file] += bytes;  // of the memory BIOs, a stand-in for sockets
  }
  std::vector<std::pair<std::string, long>> rows(by_file.begin(), by_file.end());
  std::ranges::sort(rows, std::greater{}, &std::pair<std::string, long>::second);
  long all = 0;
  for (const auto& [file, bytes] : rows) all += bytes;
  std::printf("{\"version\":\"%s\",\"bytes\":%ld,\"files\":[",
              OpenSSL_version(OPENSSL_VERSION_STRING), all / kConnections);
  const char* comma = "";
  for (const auto& [file, bytes] : rows) {
    if (bytes / kConnections < 32) continue;
    std::printf("%s{\"file\":\"%s\",\"bytes\":%ld}", std::exchange(comma, ","), file.c_str(),
                bytes / kConnections);
  }
  std::puts("]}");
  return 0;
}

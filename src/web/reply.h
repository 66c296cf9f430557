// What to answer to an ordinary GET or HEAD, as bytes and perhaps a file: somebody else sends it.
#pragma once

#include <cstdint>
#include <ctime>
#include <string>

#include "base/bytes.h"
#include "base/unique_fd.h"
#include "http/request.h"

namespace wsproxy::web {

struct Reply {
  int status = 0;
  std::string head;          ///< response head; holds the body too when that is a short text
  Bytes body;                ///< of the embedded page: lives as long as the program
  UniqueFd file;             ///< or a file, of which
  std::uint64_t offset = 0;  ///<   these bytes
  std::uint64_t file_bytes = 0;
  bool keep_alive = true;  ///< false: close the connection behind it
};

/// What a reply needs to know of its request besides the head.
struct Asked {
  const http::RequestHead& head;
  std::time_t now;

  [[nodiscard]] bool head_only() const { return head.method == "HEAD"; }
};

/// A short text as the whole answer. `extra_lines` are header lines with their CRLF.
Reply plain_reply(const Asked& asked, int status, std::string_view detail,
                  std::string_view extra_lines = "", bool keep_alive = true);

}  // namespace wsproxy::web

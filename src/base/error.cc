#include "base/error.h"

#include <cctype>
#include <cstring>

namespace wsproxy {

Error Error::in(std::string_view context) const {
  return Error{code, sys, std::string(context) + ": " + text};
}

std::string Error::message() const { return sys == 0 ? text : text + ": " + describe_errno(sys); }

std::string describe_errno(int sys) {
  const char* words = strerrordesc_np(sys);
  if (words == nullptr) return "error " + std::to_string(sys);
  std::string text = words;
  // "Connection refused" reads better lower case behind a colon; "RPC ..." keeps its capitals.
  if (text.size() > 1 && std::islower(static_cast<unsigned char>(text[1])) != 0) {
    text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  }
  return text;
}

}  // namespace wsproxy

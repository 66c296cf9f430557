// What a request's path means in a directory of files, and what a file's name says of it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace wsproxy::web {

/// The media type that belongs to a file name's ending.
std::string_view content_type(std::string_view name);

/// The path inside the directory ("a/b.js", or "" for the top) that a request's path means, or
/// nothing if no file may have it: broken encoding, hidden names, "..", control bytes, backslash,
/// an encoded slash.
std::optional<std::string> file_path(std::string_view request_path);

}  // namespace wsproxy::web

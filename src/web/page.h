// Answers from the built-in page.
#pragma once

#include "web/reply.h"

namespace wsproxy::web {

/// Answers a GET or HEAD: 200, 304 or 404. Gzip for those who accept it. `frame_ancestors` is the source
/// list of that directive of Content-Security-Policy; see is_source_list().
Reply answer_from_page(const Asked& asked, std::string_view frame_ancestors);

/// True if `text` can be a source list of a Content-Security-Policy: visible ASCII and blanks, and nothing
/// that would begin another directive or policy.
bool is_source_list(std::string_view text);

}  // namespace wsproxy::web

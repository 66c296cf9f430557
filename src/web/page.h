// Answers from the built-in page.
#pragma once

#include "web/reply.h"

namespace wsproxy::web {

/// Answers a GET or HEAD: 200, 304 or 404. Gzip for those who accept it.
Reply answer_from_page(const Asked& asked);

}  // namespace wsproxy::web

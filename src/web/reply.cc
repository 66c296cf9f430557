#include "web/reply.h"

#include "http/response.h"

namespace wsproxy::web {

Reply plain_reply(const Asked& asked, int status, std::string_view detail,
                  std::string_view extra_lines, bool keep_alive) {
  Reply reply;
  reply.status = status;
  reply.keep_alive = keep_alive && asked.head.keeps_alive();
  reply.head = http::plain_response(status, detail, extra_lines, asked.now, asked.head_only(),
                                    reply.keep_alive);
  return reply;
}

}  // namespace wsproxy::web

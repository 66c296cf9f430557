#include "web/page.h"

#include <algorithm>

#include "http/response.h"
#include "web/assets.h"

namespace wsproxy::web {
namespace {

// Scripts, styles and images only of our own; the desktop's pictures and cursors are data: and
// blob: URLs that the viewer makes itself; the WebSocket may lead to another proxy (host and port
// in the page's URL).
constexpr std::string_view kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self' ws: wss:; manifest-src 'self'; base-uri 'none'; form-action 'none'";

}  // namespace

bool is_source_list(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return c >= ' ' && c < 0x7f && c != ';' && c != ',';
  });
}

Reply answer_from_page(const Asked& asked, std::string_view frame_ancestors) {
  const Asset* asset = find_asset(asked.head.path);
  if (asset == nullptr) return plain_reply(asked, 404, "");
  const bool gzip = http::accepts_gzip(asked.head);
  // the two encodings are two representations, so their tags differ (RFC 9110 section 8.8.3.3)
  std::string etag(asset->etag);
  if (gzip) etag.insert(etag.size() - 1, "-gz");

  if (http::precondition_fails(asked.head, etag, 0, asked.now)) return plain_reply(asked, 412, "");

  Reply reply;
  reply.keep_alive = asked.head.keeps_alive();
  reply.status = http::not_modified(asked.head, etag, 0, asked.now) ? 304 : 200;
  http::ResponseHead head(reply.status, asked.now);
  head.add("ETag", etag).add("Cache-Control", "no-cache").add("Vary", "Accept-Encoding");
  if (!reply.keep_alive) head.add("Connection", "close");
  if (reply.status == 200) {
    const Bytes body = gzip ? asset->gzip : asset->plain;
    head.add("Content-Type", asset->content_type).add("Content-Length", body.size());
    if (gzip) head.add("Content-Encoding", "gzip");
    head.add("Content-Security-Policy",
             std::string(kPolicy) + "; frame-ancestors " + std::string(frame_ancestors))
        .add("X-Content-Type-Options", "nosniff")
        .add("Referrer-Policy", "no-referrer");
    if (!asked.head_only()) reply.body = body;
  }
  reply.head = head.str();
  return reply;
}

}  // namespace wsproxy::web

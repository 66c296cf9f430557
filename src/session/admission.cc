#include "session/admission.h"

namespace wsproxy::session {

Admission::Place Admission::admit(std::size_t most, bool once) {
  if ((most > 0 && present_ >= most) || (once && admitted_ > 0)) return {};
  ++present_;
  ++admitted_;
  on_admitted_();
  return Place(*this);
}

void Admission::leave() {
  --present_;
  on_left_();
}

}  // namespace wsproxy::session

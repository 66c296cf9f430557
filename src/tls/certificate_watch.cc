#include "tls/certificate_watch.h"

#include <sys/stat.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/log.h"

namespace wsproxy::tls {
namespace {

constexpr auto kBetweenLooks = std::chrono::seconds(1);

std::int64_t nanoseconds(const timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

CertificateWatch::CertificateWatch(const Clock& clock, std::vector<std::string> files,
                                   std::vector<std::string> optional, Load load)
    : clock_(clock), needed_(files.size()), files_(std::move(files)), load_(std::move(load)) {
  files_.insert(files_.end(), optional.begin(), optional.end());
  loaded_ = look();
}

CertificateWatch::Stamps CertificateWatch::look() const {
  Stamps stamps;
  stamps.reserve(files_.size());
  for (const std::string& file : files_) {
    struct stat status{};
    // nothing but a regular file can be read without the danger of waiting for it
    if (::stat(file.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) status = {};
    stamps.push_back({status.st_dev, status.st_ino, status.st_size, nanoseconds(status.st_mtim),
                      nanoseconds(status.st_ctim)});
  }
  return stamps;
}

std::shared_ptr<const TlsContext> CertificateWatch::renewed() {
  const SteadyTime now = clock_.now();
  if (now < next_look_) return nullptr;
  next_look_ = now + kBetweenLooks;
  Stamps seen = look();
  // a file that is away for a moment, or for good after a chroot, is no reason to give up a good one
  for (std::size_t i = 0; i < seen.size(); ++i) {
    if (seen[i] != Stamp{}) continue;
    if (i < needed_) return nullptr;
    seen[i] = loaded_[i];
  }
  const auto changed = std::ranges::mismatch(seen, loaded_).in1 - seen.begin();
  if (changed == std::ssize(seen)) return nullptr;
  auto context = load_();
  if (context) {
    loaded_ = std::move(seen);
    tried_.clear();
    complaint_.clear();
    const auto which = static_cast<std::size_t>(changed);
    log::info("%s %s was renewed: new sessions get it",
              which < needed_ ? "certificate" : "OCSP response",
              files_[which < needed_ ? 0 : which].c_str());
    for (const std::string& text : (*context)->warnings()) log::warning("%s", text.c_str());
    return std::move(*context);
  }
  std::string complaint = context.error().message();
  if (seen != tried_ || complaint != complaint_) {
    log::warning("the renewed certificate is not in use, the old one is: %s", complaint.c_str());
  }
  tried_ = std::move(seen);
  complaint_ = std::move(complaint);
  return nullptr;
}

}  // namespace wsproxy::tls

// Lines to a descriptor that is open already: a terminal, a pipe, a socket.
#pragma once

#include <memory>

#include "base/log_format.h"

namespace wsproxy::log {

/// One write(2) a line, and only while the descriptor polls writable: a reader that is too slow loses the
/// line. The descriptor stays its owner's, and so do its flags. A regular file polls writable always: where
/// a slow disk must not hold up the loop, another process has to write.
class DescriptorOutput final : public Output {
 public:
  explicit DescriptorOutput(int fd) : fd_(fd) {}
  bool write(std::string_view line) override;

 private:
  int fd_;
};

/// Records as lines.
class OutputSink final : public Sink {
 public:
  OutputSink(Format format, std::unique_ptr<Output> output)
      : format_(format), output_(std::move(output)) {}
  bool write(const Record& record) override { return output_->write(line_of(format_, record)); }
  void reopen() override { output_->reopen(); }
  [[nodiscard]] std::string_view loss() const override { return output_->loss(); }
  std::string take_trouble() override { return output_->take_trouble(); }

 private:
  Format format_;
  std::unique_ptr<Output> output_;
};

}  // namespace wsproxy::log

// The records of the log, with their fields, kept for a test to look at; back to standard error at the end.
#pragma once

#include <unistd.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/log_format.h"

namespace wsproxy::test {

class RecordCapture {
 public:
  RecordCapture() {
    std::vector<std::unique_ptr<log::Sink>> sinks;
    sinks.push_back(std::make_unique<Keeper>(lines_));
    log::set_sinks(std::move(sinks));
  }
  ~RecordCapture() { log::set_fd(STDERR_FILENO); }
  RecordCapture(const RecordCapture&) = delete;
  RecordCapture& operator=(const RecordCapture&) = delete;

  /// "info TEXT" and then " NAME=VALUE" for each field, a line each; those that came since the last call.
  std::vector<std::string> take() { return std::exchange(lines_, {}); }

 private:
  class Keeper final : public log::Sink {
   public:
    explicit Keeper(std::vector<std::string>& lines) : lines_(lines) {}
    bool write(const log::Record& record) override {
      std::string line = std::string(log::name_of(record.level)) + " " + std::string(record.text);
      for (const log::Field& field : record.fields) {
        line += " " + std::string(field.name) + "=" + log::value_text(field);
      }
      lines_.push_back(line);
      return true;
    }

   private:
    std::vector<std::string>& lines_;
  };

  std::vector<std::string> lines_;
};

}  // namespace wsproxy::test

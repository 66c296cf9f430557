#include "config/config_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/hex.h"
#include "base/unique_fd.h"
#include "base/utf8.h"
#include "config/nearest.h"
#include "config/options.h"

namespace wsproxy::config {
namespace {

constexpr std::string_view kBlanks = " \t";

std::unexpected<Error> invalid(std::string text) { return fail(Errc::Invalid, std::move(text)); }

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

bool is_control(char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; }

// Two hexadecimal digits; 0, which no value can have, for anything else.
char read_hex(std::string_view digits) {
  if (digits.size() != 2 || hex_value(digits[0]) < 0 || hex_value(digits[1]) < 0) return '\0';
  return static_cast<char>(hex_value(digits[0]) * 16 + hex_value(digits[1]));
}

// What stands in double quotes; `text` begins behind the first of them.
Result<std::string> unquote(std::string_view text) {
  std::string value;
  while (!text.empty() && text.front() != '"') {
    char c = text.front();
    text.remove_prefix(1);
    if (c == '\\') {
      const char kind = text.empty() ? '\0' : text.front();
      text.remove_prefix(text.empty() ? 0 : 1);
      switch (kind) {
        case '\\':
        case '"': c = kind; break;
        case 'n': c = '\n'; break;
        case 'r': c = '\r'; break;
        case 't': c = '\t'; break;
        case 'x':
          c = read_hex(text.substr(0, 2));
          if (c == '\0') return invalid("expected two hexadecimal digits, not 00, behind \\x");
          text.remove_prefix(2);
          break;
        default: return invalid("expected one of \\ \" n r t x behind a backslash");
      }
    }
    value += c;
  }
  if (text.empty()) return invalid("the quotation mark is not closed");
  if (text.size() > 1) return invalid("nothing may follow the closing quotation mark");
  return value;
}

class FileParser {
 public:
  explicit FileParser(const std::string& name) : name_(name) {}

  Result<Values> run(std::string_view text) {
    if (text.size() > kMaxFileBytes) {
      return fail(Errc::Config,
                  name_ + ": larger than " + std::to_string(kMaxFileBytes) + " bytes");
    }
    while (!text.empty()) {
      ++number_;
      const auto end = text.find('\n');
      const Status status = line(text.substr(0, end));
      if (!status) return fail(Errc::Config, where() + ": " + status.error().text);
      text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    return std::move(values_);
  }

 private:
  std::string where() const { return name_ + ":" + std::to_string(number_); }

  Status line(std::string_view text) {
    if (text.ends_with('\r')) text.remove_suffix(1);  // somebody's editor is from elsewhere
    if (text.size() > kMaxLineBytes)
      return invalid("the line is longer than " + std::to_string(kMaxLineBytes) + " bytes");
    const bool control =
        std::ranges::any_of(text, [](char c) { return is_control(c) && c != '\t'; });
    if (control || !is_utf8(text)) return invalid("the line is not text in UTF-8");
    text = trim(text);
    if (text.empty() || text.front() == '#' || text.front() == ';') return {};
    if (text.front() == '[') return invalid("sections are not there yet");
    const auto equals = text.find('=');
    if (equals == std::string_view::npos) return invalid("expected key = value");
    return entry(trim(text.substr(0, equals)), trim(text.substr(equals + 1)));
  }

  Status entry(std::string_view key, std::string_view text) {
    const auto option = find(key);
    if (!option) return std::unexpected(option.error());
    const std::string name(key);
    const auto [place, is_first] = lines_.try_emplace((*option)->name, number_);
    if (!is_first && !(*option)->repeats()) {
      return invalid(name + " is given twice, first in line " + std::to_string(place->second));
    }
    Result<std::string> value = std::string(text);
    if (text.starts_with('"')) value = unquote(text.substr(1));
    if (!value) return std::unexpected(value.error().in(name));
    if (text.empty()) return invalid(name + ": the value is empty");
    if (const Status status = assign(values_.config, **option, *value); !status)
      return std::unexpected(status.error().in(name));
    values_.given[(*option)->name] = name_ + ":" + std::to_string(place->second);
    return {};
  }

  static Result<const Option*> find(std::string_view key) {
    const auto found = std::ranges::find(options(), key, &Option::name);
    if (key.empty() || found == options().end()) {
      return invalid("unknown key '" + std::string(key) + "'" +
                     did_you_mean(key, "", kCommandLine));
    }
    if (found->has(kCommandLine))
      return invalid("'" + std::string(key) + "' belongs on the command line");
    if (found->has(kNotYet)) return invalid(std::string(key) + " is not there yet");
    return &*found;
  }

  const std::string& name_;
  std::size_t number_ = 0;
  std::map<std::string_view, std::size_t> lines_;
  Values values_;
};

}  // namespace

Result<Values> parse_config_file(std::string_view text, const std::string& name) {
  return FileParser(name).run(text);
}

Result<std::string> read_config_file(const std::string& path) {
  // O_NONBLOCK: a FIFO must not hold us up before we see what it is
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return fail(Errc::Config, path, errno);
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0) return fail(Errc::Config, path, errno);
  if (!S_ISREG(info.st_mode)) return fail(Errc::Config, path + ": not a regular file");
  std::string text(kMaxFileBytes + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(fd.get(), text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(Errc::Config, path, errno);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  text.resize(size);
  return text;
}

std::string quoted_value(std::string_view text) {
  const bool plain = !text.empty() && text.front() != '"' && text == trim(text) &&
                     std::ranges::none_of(text, is_control) && is_utf8(text);
  if (plain) return std::string(text);
  std::string out = "\"";
  const bool utf8 = is_utf8(text);
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += std::string("\\") + c;
    } else if (is_control(c) || (!utf8 && static_cast<unsigned char>(c) >= 0x80)) {
      append_hex_escape(out, c);
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string dump_config(const Config& config) {
  std::string out = "# The configuration in effect, see wsproxy.conf(5).\n";
  const Option* previous = nullptr;
  for (const Option& option : options()) {
    if (option.has(kCommandLine) || option.has(kNotYet)) continue;
    if (previous == nullptr || previous->group != option.group)
      out += "\n# " + std::string(heading(option.group)) + "\n";
    previous = &option;
    const std::string name(option.name);
    const auto values = values_of(config, option);
    if (values.empty()) out += "# " + name + " =\n";
    if (!values.empty() && option.has(kSecret)) {
      out += "# " + name + " is set, and not shown\n";
      continue;
    }
    for (const std::string& value : values) out += name + " = " + quoted_value(value) + "\n";
  }
  return out;
}

}  // namespace wsproxy::config

#include "config/nearest.h"

#include <algorithm>
#include <numeric>
#include <vector>

namespace wsproxy::config {
namespace {

// Longer than any option: nobody means one by it, and a file may be full of such.
constexpr std::size_t kLongest = 64;

// How many letters to add, drop or change (Levenshtein), a row of the table at a time.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t above = row[j + 1];
      row[j + 1] = std::min({above + 1, row[j] + 1, diagonal + (a[i] == b[j] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row.back();
}

}  // namespace

std::string did_you_mean(std::string_view name, std::string_view dashes, Trait except) {
  if (name.size() > kLongest) return "";
  const Option* best = nullptr;
  std::size_t best_distance =
      std::max(name.size() / 3, std::size_t{1});  // letters that may be wrong
  for (const Option& option : options()) {
    if (option.has(except)) continue;
    const std::size_t d = distance(name, option.name);
    if (d >= option.name.size() || d > best_distance || (best != nullptr && d == best_distance))
      continue;
    best = &option;
    best_distance = d;
  }
  if (best == nullptr) return "";
  return "; did you mean " + std::string(dashes) + std::string(best->name) + "?";
}

}  // namespace wsproxy::config

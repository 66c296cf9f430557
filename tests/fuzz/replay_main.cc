// Runs a fuzz target without a fuzzer over files, or over all files of directories. Without any it
// takes the target's own corpus, as seen from the top of the repository:
//
//   build/release/replay/base64_fuzz                  all of tests/fuzz/corpus/base64
//   build/release/replay/base64_fuzz crash-1234       one input
//
// Arguments that begin with a dash are for other test programs and ignored.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

std::filesystem::path corpus_of(const std::filesystem::path& program) {
  std::string name = program.filename().string();
  if (name.ends_with("_fuzz")) name.resize(name.size() - std::string_view("_fuzz").size());
  return std::filesystem::path("tests/fuzz/corpus") / name;
}

std::vector<std::filesystem::path> files_of(const std::filesystem::path& place) {
  if (!std::filesystem::is_directory(place)) return {place};
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(place)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::filesystem::path> places;
  for (int i = 1; i < argc; ++i) {
    if (*argv[i] != '-') places.emplace_back(argv[i]);
  }
  if (places.empty()) places.push_back(corpus_of(argv[0]));

  std::size_t inputs = 0;
  for (const auto& place : places) {
    for (const auto& path : files_of(place)) {
      std::ifstream file(path, std::ios::binary);
      if (!file) {
        std::fprintf(stderr, "cannot read %s\n", path.c_str());
        return 1;
      }
      const std::vector<char> bytes(std::istreambuf_iterator<char>(file), {});
      LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
      ++inputs;
    }
  }
  std::printf("%zu inputs\n", inputs);
  return inputs > 0 ? 0 : 1;  // a corpus that went missing must not pass for a good one
}

// main() of a fuzz target where there is no libFuzzer; see fuzz.hpp.
#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "fuzz.hpp"

namespace {

using Bytes = std::vector<uint8_t>;
using Random = std::mt19937_64;

Bytes read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) wrong("a file cannot be opened");
  return Bytes(std::istreambuf_iterator<char>(in), {});
}

// What breaks parsers of lengths and tags: cut, flip, extreme lengths, a part of the header moved or doubled.
void mutate(Bytes& b, Random& random) {
  static const uint32_t kLengths[] = {0, 1, 7, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF};
  static const uint32_t kTags[] = {0xE000FFFE, 0xE00DFFFE, 0xE0DDFFFE, 0x00107FE0, 0x00100028, 0x00020010, 0xA7300040, 0};
  const auto below = [&](size_t n) { return static_cast<size_t>(random() % std::max<size_t>(n, 1)); };
  // Most of a file is pixels, which nothing here looks at.
  const size_t head = std::min<size_t>(b.size(), below(4) == 0 ? b.size() : 4096);
  switch (below(7)) {
    case 0: b.resize(below(b.size() + 1)); break;
    case 1: if (head > 0) b[below(head)] ^= static_cast<uint8_t>(1u << below(8)); break;
    case 2: if (head > 0) b[below(head)] = static_cast<uint8_t>(random()); break;
    case 3: case 4:
      if (head >= 4) {
        const uint32_t v = below(2) != 0 ? kLengths[below(std::size(kLengths))] : kTags[below(std::size(kTags))];
        std::memcpy(b.data() + below(head - 3), &v, 4);
      }
      break;
    case 5:
      if (head > 0) {
        const size_t from = below(head), n = std::min(b.size() - from, below(256));
        const Bytes part(b.begin() + static_cast<long>(from), b.begin() + static_cast<long>(from + n));
        b.insert(b.begin() + static_cast<long>(below(head)), part.begin(), part.end());
      }
      break;
    default:
      if (head > 0) {
        const size_t from = below(head), n = std::min(b.size() - from, below(64));
        b.erase(b.begin() + static_cast<long>(from), b.begin() + static_cast<long>(from + n));
      }
  }
}

}  // namespace

int main(int count, char** arguments) {
  size_t mutations = 0, seed = 1, seconds = 3600, files = 0, tried = 0;
  std::vector<Bytes> small;
  for (int i = 1; i < count; ++i) {
    const std::string argument = arguments[i];
    if (std::sscanf(argument.c_str(), "-mutations=%zu", &mutations) == 1 || std::sscanf(argument.c_str(), "-seed=%zu", &seed) == 1 ||
        std::sscanf(argument.c_str(), "-seconds=%zu", &seconds) == 1)
      continue;
    std::vector<std::filesystem::path> paths;
    if (std::filesystem::is_directory(argument)) {
      for (const auto& entry : std::filesystem::recursive_directory_iterator(argument))
        if (entry.is_regular_file()) paths.push_back(entry.path());
    } else {
      paths.emplace_back(argument);
    }
    std::sort(paths.begin(), paths.end());
    for (const auto& path : paths) {
      Bytes bytes = read_file(path);
      LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
      ++files;
      if (bytes.size() <= 64 * 1024) small.push_back(std::move(bytes));
    }
  }
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  Random random(seed);
  for (; tried < mutations && !small.empty() && std::chrono::steady_clock::now() < end; ++tried) {
    Bytes b = small[random() % small.size()];
    for (uint64_t n = 1 + random() % 4; n > 0; --n) mutate(b, random);
    // An exact copy on the heap, so that one byte too far is seen.
    const Bytes exact(b);
    LLVMFuzzerTestOneInput(exact.data(), exact.size());
  }
  std::printf("%zu files, %zu mutations\n", files, tried);
  return 0;
}

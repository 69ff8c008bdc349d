// Fuzz target of HTJ2K: a block by each kind of processor, and a whole image. Input: rows, columns, levels, shape of the values, then values.
#include <cstring>
#include <vector>

#include "bad_code.hpp"
#include "fuzz.hpp"
#include "ht_block.hpp"
#include "ht_encode.hpp"

using namespace voxcast;

namespace {

// SOC, SIZ, CAP, COD, QCD and TLM of a signed image of 16 bits.
std::vector<uint8_t> header(size_t rows, size_t columns, unsigned levels) {
  std::vector<uint8_t> out;
  const auto put = [&](size_t value, unsigned bytes) {
    while (bytes-- > 0) out.push_back(static_cast<uint8_t>(value >> 8 * bytes));
  };
  put(0xFF4FFF51, 4), put(41, 2), put(0x4000, 2);
  for (int tile = 0; tile < 2; ++tile) put(columns, 4), put(rows, 4), put(0, 4), put(0, 4);
  put(1, 2), put(0x8F0101, 3);
  put(0xFF500008, 4), put(0x00020000, 4), put(0x000A, 2);
  put(0xFF52000C, 4), put(0x00020001, 4), put(0, 1), put(levels, 1), put(0x04044001, 4);
  put(0xFF5C, 2), put(3 + 3 * levels + 1, 2), put(0x20, 1);
  for (unsigned i = 0; i < 3 * levels + 1; ++i) put(18 << 3, 1);
  put(0xFF55, 2), put(4 + 6 * (levels + 1), 2), put(0x0060, 2);
  for (unsigned i = 0; i <= levels; ++i) put(0, 6);
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 6) return 0;
  const size_t rows = 1 + data[0] % 90, columns = 1 + data[1] % 90, values = size - 4;
  const unsigned levels = data[2] % 8, right = data[3] % 17;
  std::vector<int16_t> image(rows * columns);
  for (size_t i = 0; i < image.size(); ++i) {
    const size_t at = 4 + (data[3] & 0x80 ? i % values : i * values / image.size());
    image[i] = static_cast<int16_t>(static_cast<int16_t>(data[at] << 8 | data[4 + (at - 3) % values]) >> right);
  }
  const size_t width = columns < kBlockSide ? columns : kBlockSide, height = rows < kBlockSide ? rows : kBlockSide;
  std::vector<int32_t> block(height * kBlockSide);
  for (size_t i = 0; i < height * width; ++i) block[i / width * kBlockSide + i % width] = 4 * image[i];
  std::vector<uint8_t> first(kBlockBytesMax), other(kBlockBytesMax);
  size_t have = 0;
  try {
    have = ht_blocks().front()(block.data(), kBlockSide, width, height, first.data());
  } catch (const BadCode&) {
    have = kBlockBytesMax + 1;
  }
  for (const HtBlock code : ht_blocks()) {
    size_t found = 0;
    try {
      found = code(block.data(), kBlockSide, width, height, other.data());
    } catch (const BadCode&) {
      found = kBlockBytesMax + 1;
    }
    if (found != have) wrong("another length by another processor");
    if (found <= kBlockBytesMax && std::memcmp(first.data(), other.data(), found) != 0) wrong("other bytes by another processor");
  }
  HtSmaller smaller{levels > 2 ? 2u : 0u};
  const bool is_right = rows > 1 && columns > 1 && levels > 0 && ((rows < columns ? rows : columns) - 1) >> (levels - 1) > 0;
  const std::vector<uint8_t> head = header(rows, columns, levels);
  try {
    ht_encode(image.data(), rows, columns, head.data(), head.size(), smaller);
  } catch (const BadCode&) {
    if (is_right) wrong("an image is refused");
    return 0;
  }
  if (!is_right) wrong("an image of no samples in a level is taken");
  if (smaller.halvings > 0 && smaller.samples.size() != ((rows + 3) / 4) * ((columns + 3) / 4)) wrong("a smaller image of another size");
  return 0;
}

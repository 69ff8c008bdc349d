// Fuzz target of bit unpacking, against one bit at a time. Input: bits, first bit, two bytes of the number of cells, then the cells.
#include <algorithm>
#include <cstring>
#include <vector>

#include "bad_code.hpp"
#include "bits.hpp"
#include "fuzz.hpp"

using namespace voxcast;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 4) return 0;
  const unsigned bits = data[0] % 34, first = data[1] % 9;
  const size_t there = size - 4, fit = bits == 0 ? 0 : there * 8 / bits;
  // Mostly as many as fit, for the end is where it breaks; sometimes more.
  const size_t asked = size_t(data[2]) | size_t(data[3]) << 8, count = asked % 4 == 0 ? asked : fit - std::min<size_t>(fit, asked % 4 - 1);
  const std::vector<uint8_t> exact(data + 4, data + size);
  std::vector<uint8_t> out(count * cell_bytes(bits == 0 ? 1 : bits), 0xA5);
  const bool is_right = bits >= 1 && bits <= 32 && first <= 7 && first + bits * count <= 8 * there;
  try {
    unpack_bits(exact.data(), there, bits, first, count, out.data());
  } catch (const BadCode&) {
    if (is_right) wrong("cells that are there are refused");
    return 0;
  }
  if (!is_right) wrong("cells that are not there are unpacked");
  for (size_t i = 0; i < count; ++i) {
    uint32_t want = 0, have = 0;
    for (unsigned b = 0; b < bits; ++b) {
      const size_t at = first + i * bits + b;
      want |= uint32_t(exact[at / 8] >> at % 8 & 1) << b;
    }
    std::memcpy(&have, out.data() + i * cell_bytes(bits), cell_bytes(bits));
    if (have != want) wrong("a cell has another value");
  }
  return 0;
}

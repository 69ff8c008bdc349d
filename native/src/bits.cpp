#include "bits.hpp"

#include <cstring>
#include <string>

#include "bad_code.hpp"
#include "wide.hpp"

namespace voxcast {
namespace {

// Eight bits to eight bytes, by arithmetic on all at once; from a whole byte on.
VOXCAST_INLINE void single_bits(const uint8_t* __restrict__ p, size_t count, uint8_t* __restrict__ out) {
  constexpr uint64_t kOnes = 0x0101010101010101, kEach = 0x8040201008040201, kLow = 0x7F7F7F7F7F7F7F7F;
  const size_t whole = count / 8;
  for (size_t i = 0; i < whole; ++i) {
    const uint64_t cells = (((p[i] * kOnes & kEach) + kLow) >> 7) & kOnes;
    std::memcpy(out + 8 * i, &cells, 8);
  }
  for (size_t i = 8 * whole; i < count; ++i) out[i] = p[i / 8] >> i % 8 & 1;
}

// Two cells of 12 bits in three bytes, from a whole byte on.
VOXCAST_INLINE void twelve_bits(const uint8_t* __restrict__ p, size_t count, uint16_t* __restrict__ out) {
  const size_t pairs = count / 2;
  for (size_t i = 0; i < pairs; ++i) {
    const unsigned a = p[3 * i], b = p[3 * i + 1], c = p[3 * i + 2];
    out[2 * i] = static_cast<uint16_t>(a | (b & 15) << 8);
    out[2 * i + 1] = static_cast<uint16_t>(b >> 4 | c << 4);
  }
  if (count % 2 != 0) out[2 * pairs] = static_cast<uint16_t>(p[3 * pairs] | (p[3 * pairs + 1] & 15) << 8);
}

// `n` bytes of what begins at bit `first` (1 to 7) of p; the byte behind is there only where its bits are needed.
VOXCAST_INLINE void realigned(const uint8_t* __restrict__ p, size_t left, unsigned first, size_t n, uint8_t* __restrict__ out) {
  const size_t both = n < left ? n : left - 1;
  for (size_t i = 0; i < both; ++i) out[i] = static_cast<uint8_t>((p[i] | p[i + 1] << 8) >> first);
  if (both < n) out[both] = static_cast<uint8_t>(p[both] >> first);
}

VOXCAST_INLINE void aligned(const uint8_t* p, unsigned bits, size_t count, uint8_t* out) {
  if (bits == 1) single_bits(p, count, out);
  else twelve_bits(p, count, reinterpret_cast<uint16_t*>(out));
}

// 1 and 12 bits. Frames that begin inside a byte go through a tile in which they do not.
VOXCAST_INLINE void common_bits(const uint8_t* p, size_t size, unsigned bits, unsigned first, size_t count, uint8_t* out) {
  if (first == 0) return aligned(p, bits, count, out);
  uint8_t tile[1536];  // whole cells of 12 bits
  const size_t cells = sizeof tile * 8 / bits;
  for (size_t done = 0; done < count; done += cells) {
    const size_t n = count - done < cells ? count - done : cells, at = done * bits / 8;
    realigned(p + at, size - at, first, (n * bits + 7) / 8, tile);
    aligned(tile, bits, n, out + done * cell_bytes(bits));
  }
}

VOXCAST_WIDE void common_wide(const uint8_t* p, size_t size, unsigned bits, unsigned first, size_t count, uint8_t* out) {
  common_bits(p, size, bits, first, count, out);
}
void common_plain(const uint8_t* p, size_t size, unsigned bits, unsigned first, size_t count, uint8_t* out) {
  common_bits(p, size, bits, first, count, out);
}

template <typename T>
void any_bits(const uint8_t* p, size_t size, unsigned bits, uint64_t first, size_t count, T* out) {
  const uint64_t mask = (uint64_t(1) << bits) - 1;
  for (size_t i = 0; i < count; ++i, first += bits) {
    const size_t at = first / 8, n = size - at;
    uint64_t word = 0;  // 7 bits in front and 32 of the cell are less than 64
    if (n >= 8) std::memcpy(&word, p + at, 8);
    else std::memcpy(&word, p + at, n);
    out[i] = static_cast<T>(word >> first % 8 & mask);
  }
}

}  // namespace

void unpack_bits(const uint8_t* data, size_t size, unsigned bits, unsigned first_bit, size_t count, void* out) {
  if (bits < 1 || bits > 32 || first_bit > 7)
    throw BadCode("cells of " + std::to_string(bits) + " bits from bit " + std::to_string(first_bit) + " on cannot be unpacked");
  const uint64_t there = uint64_t(size) * 8;
  if (there < first_bit || count > (there - first_bit) / bits)
    throw BadCode(std::to_string(size) + " bytes do not hold " + std::to_string(count) + " cells of " + std::to_string(bits) + " bits");
  if (count == 0) return;
  if (bits == 1 || bits == 12) {
    (is_wide() ? common_wide : common_plain)(data, size, bits, first_bit, count, static_cast<uint8_t*>(out));
  } else if (cell_bytes(bits) == 1) {
    any_bits(data, size, bits, first_bit, count, static_cast<uint8_t*>(out));
  } else if (cell_bytes(bits) == 2) {
    any_bits(data, size, bits, first_bit, count, static_cast<uint16_t*>(out));
  } else {
    any_bits(data, size, bits, first_bit, count, static_cast<uint32_t*>(out));
  }
}

}  // namespace voxcast

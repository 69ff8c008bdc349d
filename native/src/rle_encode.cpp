#include <algorithm>
#include <cstring>
#include <vector>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "bad_code.hpp"
#include "planes.hpp"
#include "rle.hpp"

namespace voxcast {
namespace {

constexpr size_t kHead = 64;  // G.5
constexpr size_t kRun = 128;  // G.3.1
constexpr size_t kBlock = 64;  // bytes whose comparison is one word of bits

// Bit i: p[i] == p[i + 1]; reads 65 bytes.
uint64_t equal_to_next(const uint8_t* p) {
  uint64_t bits = 0;
#if defined(__SSE2__)
  for (unsigned i = 0; i < kBlock; i += 16) {
    const __m128i a = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + i));
    const __m128i b = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + i + 1));
    bits |= uint64_t(static_cast<uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(a, b)))) << i;
  }
#else
  for (unsigned i = 0; i < kBlock; ++i) bits |= uint64_t(p[i] == p[i + 1]) << i;
#endif
  return bits;
}

unsigned lowest(uint64_t bits) { return static_cast<unsigned>(__builtin_ctzll(bits)); }

// One row of one byte plane, with what is known of its repeats.
class Row {
 public:
  explicit Row(size_t columns) : columns_(columns), bytes_((columns / kBlock + 1) * kBlock + 1), same_(columns / kBlock + 2), three_(same_.size()) {}

  uint8_t* pack(const uint8_t* pixels, unsigned stride, uint8_t* out) {
    take_plane(pixels, stride, columns_, bytes_.data());
    const size_t words = columns_ / kBlock + 1;
    for (size_t w = 0; w < words; ++w) same_[w] = equal_to_next(bytes_.data() + w * kBlock);
    // Nothing equals the byte behind the row.
    const size_t last = columns_ - 1;
    same_[last / kBlock] &= (uint64_t(1) << last % kBlock) - 1;
    for (size_t w = last / kBlock + 1; w < same_.size(); ++w) same_[w] = 0;
    for (size_t w = 0; w < words; ++w) three_[w] = same_[w] & (same_[w] >> 1 | same_[w + 1] << 63);

    for (size_t at = 0; at < columns_;) {
      const size_t n = std::min(run_end(at) - at, kRun);
      if (n >= 2) {
        *out++ = static_cast<uint8_t>(257 - n);
        *out++ = bytes_[at];
        at += n;
        continue;
      }
      // Two alike among others cost no less as a run; three do (G.3.1, note).
      const size_t end = three_from(at, std::min(columns_, at + kRun));
      *out++ = static_cast<uint8_t>(end - at - 1);
      std::memcpy(out, bytes_.data() + at, end - at);
      out += end - at;
      at = end;
    }
    return out;
  }

 private:
  // Where the run ends that begins at `at`, or further than the longest that can be told.
  size_t run_end(size_t at) const {
    const size_t limit = std::min(columns_, at + kRun);
    size_t w = at / kBlock;
    uint64_t other = ~same_[w] & ~uint64_t(0) << at % kBlock;
    while (other == 0 && (w + 1) * kBlock < limit) other = ~same_[++w];
    return other == 0 ? limit : w * kBlock + lowest(other) + 1;
  }
  // The first of three alike from `at` on, or `limit`.
  size_t three_from(size_t at, size_t limit) const {
    size_t w = at / kBlock;
    uint64_t found = three_[w] & ~uint64_t(0) << at % kBlock;
    while (found == 0 && (w + 1) * kBlock < limit) found = three_[++w];
    return found == 0 ? limit : std::min(limit, w * kBlock + lowest(found));
  }

  size_t columns_;
  std::vector<uint8_t> bytes_;
  std::vector<uint64_t> same_, three_;
};

void put32(uint8_t* p, uint64_t v) {
  for (int i = 0; i < 4; ++i) p[i] = static_cast<uint8_t>(v >> 8 * i);
}

}  // namespace

uint64_t rle_bound(const RleLayout& layout) {
  const uint64_t row = layout.columns + (layout.columns + kRun - 1) / kRun;
  return kHead + layout.planes() * (layout.rows * row + 1);
}

size_t rle_encode(const uint8_t* pixels, const RleLayout& layout, uint8_t* out) {
  const unsigned count = layout.planes();
  if (count == 0 || count > kPlanesMax) throw BadCode(std::to_string(count) + " byte planes, RLE has 1 to 15");
  if (rle_bound(layout) > UINT32_MAX) throw BadCode("a frame of " + std::to_string(layout.bytes()) + " bytes, RLE offsets have 32 bits");
  std::memset(out, 0, kHead);
  put32(out, count);
  const unsigned stride = layout.is_planar ? layout.item_bytes : count;
  Row row(layout.columns);
  uint8_t* at = out + kHead;
  for (unsigned s = 0; s < count; ++s) {
    put32(out + 4 + 4 * s, static_cast<uint64_t>(at - out));
    const uint8_t* const begin = at;
    if (layout.pixels() > 0) {
      const unsigned sample = s / layout.item_bytes, byte = layout.item_bytes - 1 - s % layout.item_bytes;
      const uint64_t first = layout.is_planar ? sample * layout.pixels() * layout.item_bytes : sample * layout.item_bytes;
      const uint8_t* row_at = pixels + first + byte;
      for (uint64_t y = 0; y < layout.rows; ++y) at = row.pack(row_at + y * layout.columns * stride, stride, at);
    }
    if ((at - begin) % 2 != 0) *at++ = 0;
  }
  return static_cast<size_t>(at - out);
}

}  // namespace voxcast

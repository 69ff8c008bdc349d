#include "wavelet.hpp"

#include "wide.hpp"

namespace voxcast {
namespace {

// One row to its low and its high half. `low` and `high` have room for one number before and one behind.
VOXCAST_INLINE void split_row(const int32_t* __restrict__ row, size_t columns, int32_t* __restrict__ even, int32_t* __restrict__ low,
                              int32_t* __restrict__ odd, int32_t* __restrict__ high) {
  const size_t highs = columns / 2, lows = columns - highs;
  for (size_t i = 0; i < highs; ++i) {
    even[i] = row[2 * i];
    odd[1 + i] = row[2 * i + 1];
  }
  if (lows > highs) even[highs] = row[columns - 1];
  else even[lows] = even[lows - 1];  // mirrored at the last sample
  for (size_t i = 0; i < highs; ++i) high[i] = odd[1 + i] -= (even[i] + even[i + 1]) >> 1;
  odd[0] = odd[1];
  odd[1 + highs] = odd[highs];
  for (size_t i = 0; i < lows; ++i) low[i] = even[i] + ((odd[i] + odd[i + 1] + 2) >> 2);
}

// Two rows of the image at a time, so that all of it is in the nearest cache when it is used again.
template <typename Sample>
VOXCAST_INLINE void level(const Sample* image, size_t stride, size_t rows, size_t columns, const Bands& out, int32_t* scratch) {
  const size_t highs = rows / 2, lows = rows - highs, room = columns + 64;
  int32_t *low = scratch, *high = scratch + room, *before = scratch + 2 * room;
  int32_t *even = scratch + 3 * room, *odd = even + (room / 2);
  for (size_t i = 0; i < lows; ++i) {
    const Sample* const __restrict__ here = image + 2 * i * stride;
    int32_t* const __restrict__ l = low;
    if (i < highs) {
      const Sample* const __restrict__ middle = here + stride;
      const Sample* const __restrict__ next = i + 1 < lows ? here + 2 * stride : here;
      int32_t* const __restrict__ h = high;
      for (size_t x = 0; x < columns; ++x) h[x] = middle[x] - ((here[x] + next[x]) >> 1);
      const int32_t* const __restrict__ b = i > 0 ? before : high;
      for (size_t x = 0; x < columns; ++x) l[x] = here[x] + ((b[x] + h[x] + 2) >> 2);
      split_row(high, columns, even, out.lh + i * out.stride, odd, out.hh + i * out.stride);
    } else {
      const int32_t* const __restrict__ b = before;
      for (size_t x = 0; x < columns; ++x) l[x] = here[x] + ((2 * b[x] + 2) >> 2);
    }
    split_row(low, columns, even, out.ll + i * out.ll_stride, odd, out.hl + i * out.stride);
    int32_t* const free = before;
    before = high;
    high = free;
  }
}

#if VOXCAST_HAS_WIDE
template <typename Sample>
VOXCAST_WIDE void level_wide(const Sample* image, size_t stride, size_t rows, size_t columns, const Bands& out, int32_t* scratch) {
  level(image, stride, rows, columns, out, scratch);
}

template <typename Sample>
VOXCAST_WIDEST void level_widest(const Sample* image, size_t stride, size_t rows, size_t columns, const Bands& out, int32_t* scratch) {
  level(image, stride, rows, columns, out, scratch);
}
#endif

template <typename Sample>
void level_here(const Sample* image, size_t stride, size_t rows, size_t columns, const Bands& out, int32_t* scratch) {
#if VOXCAST_HAS_WIDE
  if (is_widest()) return level_widest(image, stride, rows, columns, out, scratch);
  if (is_wide()) return level_wide(image, stride, rows, columns, out, scratch);
#endif
  level(image, stride, rows, columns, out, scratch);
}

}  // namespace

void wavelet_level(const int16_t* image, size_t image_stride, size_t rows, size_t columns, const Bands& out, int32_t* scratch) {
  level_here(image, image_stride, rows, columns, out, scratch);
}

void wavelet_level(const int32_t* image, size_t image_stride, size_t rows, size_t columns, const Bands& out, int32_t* scratch) {
  level_here(image, image_stride, rows, columns, out, scratch);
}

}  // namespace voxcast

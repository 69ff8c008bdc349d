// The reversible wavelet of JPEG 2000, one level at a time (T.800 annex F.4.8: columns, then rows; 5/3 lifting).
#pragma once
#include <cstddef>
#include <cstdint>

namespace voxcast {

// Where a level's four bands go: of so many rows and columns, `stride` apart. Low has the larger half of an odd side.
struct Bands {
  int32_t *ll, *hl, *lh, *hh;
  size_t ll_stride, stride;
};

// `scratch` has room for 4 * (columns + 64) numbers. The image begins at an even place. At least 2 rows and 2 columns.
void wavelet_level(const int16_t* image, size_t image_stride, size_t rows, size_t columns, const Bands& out, int32_t* scratch);
void wavelet_level(const int32_t* image, size_t image_stride, size_t rows, size_t columns, const Bands& out, int32_t* scratch);

}  // namespace voxcast

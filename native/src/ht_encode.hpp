// An image of one sample as lossless High-Throughput JPEG 2000: wavelet, code-blocks, a tile-part for each resolution (T.800, T.814).
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace voxcast {

struct HtSmaller {
  unsigned halvings = 0;             // 0: not wanted
  std::vector<int32_t> samples{};    // the image with its sides halved so often, row by row
  size_t rows = 0, columns = 0;
};

// `header` is the main header of such a code stream, from SOC on to the first SOT: what it says is done, and all that comes after TLM's
// lengths follows from the samples. They are centred about 0 and no wider than the header has them. Takes reversible 5/3 coding in blocks
// of 64 x 64, resolutions outermost, one layer, one tile at 0, one precinct; 1 to 16 halvings of sides that have two samples to the end.
// Throws BadCode for any other header.
std::vector<uint8_t> ht_encode(const int16_t* samples, size_t rows, size_t columns, const uint8_t* header, size_t header_size, HtSmaller& smaller);

}  // namespace voxcast

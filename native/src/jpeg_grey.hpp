// Grey pictures as baseline JPEG (ISO/IEC 10918-1), bit for bit what libjpeg's slow integer transform gives, in half its time.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "jpeg_blocks.hpp"

namespace voxcast {

// Whether this processor can (AVX-512 with words, and bit manipulation): elsewhere libjpeg-turbo is as quick as anything.
bool has_jpeg_grey();

// The picture of width * height pixels in rows without gaps; 1 to 65535 each, quality 1 to 100. Only where `has_jpeg_grey`.
std::vector<uint8_t> jpeg_grey(const uint8_t* pixels, size_t width, size_t height, int quality);

// The same of cells of 16 bits at `offset` in a file, by way of `line`; an empty vector, and nothing waited for, where not all of them
// are in the page cache.
std::vector<uint8_t> jpeg_grey_cells(int file, uint64_t offset, size_t width, size_t height, const GreyLine& line, int quality);

}  // namespace voxcast

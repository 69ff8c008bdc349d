// A code-block of wavelet coefficients as High-Throughput JPEG 2000 has it: one cleanup pass down to the last bit (T.814 7).
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace voxcast {

constexpr size_t kBlockSide = 64, kBlockColumns = 32;    // as many columns are read at once
constexpr size_t kBlockBytesMax = 4096 * 20 / 8 * 16 / 15 + 4096 + 64;
constexpr int32_t kCoefficientMax = (1 << 18) - 1;       // of images of 16 bits

// Codes a block of at most 64 x 64, `stride` apart. What stands beyond `width` up to a multiple of kBlockColumns must be readable and 0,
// and `width` be a multiple of them wherever it is not. Writes at most kBlockBytesMax at `out` and returns how many; 0: all are 0.
// Throws BadCode for what a block cannot hold.
size_t ht_block(const int32_t* coefficients, size_t stride, size_t width, size_t height, uint8_t* out);

// The same for each kind of processor that this one is, the quickest first: ht_block is the first. They give the same bytes.
using HtBlock = size_t (*)(const int32_t* coefficients, size_t stride, size_t width, size_t height, uint8_t* out);
const std::vector<HtBlock>& ht_blocks();

}  // namespace voxcast

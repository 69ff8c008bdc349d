// The inner loop of jpeg_grey: eight rows of pixels to entropy-coded bits.
#pragma once
#include <cstddef>
#include <cstdint>

namespace voxcast {

constexpr size_t kBlocksAtOnce = 4;
// A block codes to 64 values of a code of at most 16 bits and 10 more; a store reaches seven bytes behind the last bit.
constexpr size_t kBlockBytesMax = 64 * 26 / 8;

// Codes of one picture. A code stands in the lower bits of `bits`, with what follows it.
struct JpegCodes {
  struct Code {
    uint32_t bits;
    uint32_t length;
  };
  alignas(64) uint16_t reciprocal[64], correction[64], scale[64];  // of dividing by 8 * step, row by row
  Code dc[12];
  Code ac[16][11];       // by run and number of bits
  uint32_t small[16][64];  // by run and value + 32: the code with its value behind it, above 5 bits of their length
};

// Bits that have not filled a byte yet, and the last block's mean.
struct JpegState {
  uint64_t held = 0;
  unsigned held_bits = 0;  // at most 7
  int mean = 0;
};

// How a cell becomes a grey (engine/imaging/kernels/window.py: `lanes`): moved up by `left` and down by `right`, held between `low` and
// `high`, then along a line in numbers of 16 bits.
struct GreyLine {
  unsigned left = 0, right = 0;
  bool is_signed = false, is_steep = false;
  uint16_t low = 0, high = 0, base = 0, whole = 0, fraction = 0, offset = 0, floor = 0;
  uint8_t flip = 0;
};

// Codes `blocks` blocks of 8 x 8 pixels that lie side by side, from rows `stride` bytes apart; reads whole groups of kBlocksAtOnce.
// Writes at `out`, which has room for blocks * kBlockBytesMax + 16 bytes, and returns where the last whole byte ends. No bytes are
// stuffed.
uint8_t* jpeg_blocks(const JpegCodes& codes, const uint8_t* pixels, size_t stride, size_t blocks, JpegState& state, uint8_t* out);
// The same from cells of 16 bits; `stride` in cells.
uint8_t* jpeg_blocks(const JpegCodes& codes, const uint16_t* cells, size_t stride, const GreyLine& line, size_t blocks, JpegState& state, uint8_t* out);

}  // namespace voxcast

// RLE Lossless (PS3.5 annex G): byte planes, the most significant first, each packed by itself.
#pragma once
#include <cstddef>
#include <cstdint>

namespace voxcast {

// How the pixels lie in the caller's memory; bytes of a cell are little endian.
struct RleLayout {
  uint64_t rows = 0, columns = 0;
  unsigned samples = 1, item_bytes = 1;  // samples * item_bytes is at most 15 (G.5)
  bool is_planar = false;                // all of one sample, then all of the next
  uint64_t pixels() const { return rows * columns; }
  unsigned planes() const { return samples * item_bytes; }
  uint64_t bytes() const { return pixels() * planes(); }
};

// Fills layout.bytes() bytes at `out`; throws BadCode, and what is there then is undefined. Reads no byte outside data[0, size).
// A last run that says more than is there, or than is wanted, is cut, as old encoders wrote such; a plane that stays short is an error.
void rle_decode(const uint8_t* data, size_t size, const RleLayout& layout, uint8_t* out);

// Bytes that rle_encode can need at most.
uint64_t rle_bound(const RleLayout& layout);
// Writes at most rle_bound(layout) bytes and gives their number, which is even; throws BadCode when offsets of 32 bits cannot reach.
size_t rle_encode(const uint8_t* pixels, const RleLayout& layout, uint8_t* out);

}  // namespace voxcast

// Byte planes to pixels and back: out[i * k + j] = planes[j][i]. Compiled once more for AVX2 where the processor may have it.
#pragma once
#include <cstddef>
#include <cstdint>

namespace voxcast {

constexpr unsigned kPlanesMax = 15;  // PS3.5 G.5

// `n` bytes of each of `k` planes become n * k bytes at `out`; k is 1 to kPlanesMax.
void interleave(const uint8_t* const* planes, unsigned k, size_t n, uint8_t* out);
// The same for planes that lie one behind the other, of items of 1, 2, 4 or 8 bytes (and k from 1 on): n items in each plane.
void interleave_items(const uint8_t* planes, unsigned k, size_t n, unsigned item_bytes, uint8_t* out);
// Every k-th byte of `pixels`, n of them.
void take_plane(const uint8_t* pixels, unsigned k, size_t n, uint8_t* plane);

}  // namespace voxcast

// Cells of 1 to 32 bits, the first in the lowest bits of the first byte (PS3.5 8.1.1, annex D), to a byte, two or four each.
#pragma once
#include <cstddef>
#include <cstdint>

namespace voxcast {

// Bytes of a cell of so many bits once it is unpacked: 1, 2 or 4.
constexpr unsigned cell_bytes(unsigned bits) { return bits <= 8 ? 1 : bits <= 16 ? 2 : 4; }

// `count` cells from bit `first_bit` (0 to 7) of data[0, size) on; writes count * cell_bytes(bits) bytes. Throws BadCode when they are
// not all there, or bits is not 1 to 32.
void unpack_bits(const uint8_t* data, size_t size, unsigned bits, unsigned first_bit, size_t count, void* out);

}  // namespace voxcast

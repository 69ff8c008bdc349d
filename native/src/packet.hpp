// The header of a packet of one layer: which code-blocks are in it, and how long they are (T.800 B.10).
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace voxcast {

struct CodedBlock {
  const uint8_t* bytes = nullptr;
  size_t size = 0;  // 0: not in it
};

struct CodedBand {
  size_t across = 0, down = 0;       // blocks
  unsigned missing = 0;              // bit planes that none of its blocks has
  std::vector<CodedBlock> blocks;    // row by row
};

// Appends the packet with all its blocks; one byte where it has none.
void append_packet(const std::vector<CodedBand>& bands, std::vector<uint8_t>& out);

}  // namespace voxcast

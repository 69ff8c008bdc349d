// Where the resolutions of a JPEG 2000 or HTJ2K code stream end, so that a smaller image is a slice of its bytes (T.800 annexes A, B).
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace voxcast {

struct Resolutions {
  // ends[r]: the bytes from the start that hold resolutions 0 to r; as many as the stream has, rising, the last at most its size.
  // Empty: no prefix of it is a smaller image, and `reason` says why.
  std::vector<uint64_t> ends;
  std::string reason;
};

// Reads the main header and the tile-part headers, nothing else, and allocates nothing that the bytes do not pay for.
// Throws BadCode when they are no code stream or contradict each other.
Resolutions resolution_ends(const uint8_t* data, size_t size);

}  // namespace voxcast

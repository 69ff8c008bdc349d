// The part of engine/limits.py that the scanner holds itself to; the values always come from there.
#pragma once
#include <cstdint>

namespace voxcast {

struct Limits {
  uint64_t sequence_depth_max = 64;
  uint64_t elements_max = 5'000'000;
  uint64_t header_bytes_max = 256ull << 20;
  uint64_t json_value_bytes_max = 64 << 10;
  uint64_t inflated_bytes_max = 1ull << 30;
  uint64_t frames_max = 2'000'000;
};

}  // namespace voxcast

// Where the bytes of every frame are (PS3.5 section 8 and A.4); packed as engine/dicom/frame_table.py reads it.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "limits.hpp"
#include "source.hpp"
#include "walker.hpp"

namespace voxcast {

struct FrameTable {
  std::string packed;             // empty: no frame can be located
  std::vector<std::string> defects;
};

struct NativePixels {
  uint64_t at = 0, length = 0;    // of the value, in the stream or in the inflated data set
  uint64_t stride_bits = 0;       // of one frame
  uint64_t frames = 1;            // as the header claims
  bool is_deflated = false;
  uint64_t deflated_at = 0, deflated_length = 0;
};
FrameTable native_frames(const NativePixels& pixels, const Limits& limits);

struct EncapsulatedPixels {
  uint64_t at = 0;                // the first item: the Basic Offset Table
  uint64_t frames = 1;
  bool is_stream = false;         // one bit stream of all frames, however many fragments it is in (PS3.5 8.2.5 to 8.2.9)
  std::vector<uint64_t> extended_offsets, extended_lengths;  // (7FE0,0001), (7FE0,0002)
};
// `end` receives where the element ends.
FrameTable encapsulated_frames(Source& source, const EncapsulatedPixels& pixels, const Limits& limits, uint64_t& end);

}  // namespace voxcast

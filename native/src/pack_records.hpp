// Records of voxcast.stream.v1 (docs/stream.md) out of a pack, as far as the page cache has it: read in place, nothing waited for.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace voxcast {

constexpr size_t kRecordHeadBytes = 24;

// Where the stream of a frame lies: its first `small` bytes at `small_at` of the file, the others from `own_at` on.
struct StreamPlace {
  int64_t small, small_at, own_at;  // own_at below 0: not in this file
};

struct RecordGrant {
  uint32_t series, generation, position, count;
  uint8_t level;
  uint16_t flags;
  uint64_t first, end;  // of the frame's stream; several frames are sent from 0 to the end of `level`
};

// A series in one file; any thread.
class PackRecords {
 public:
  // `ends`: of each place, for each level, the byte end in the frame's stream.
  PackRecords(int file, size_t levels, std::vector<int64_t> ends, std::vector<StreamPlace> places);

  // Bytes of the record, head and payload; 0 when the grant is not of this series or not all of it is in the file.
  size_t size(const RecordGrant& grant) const;
  // Writes `size(grant)` bytes; false when some of them would have to come from the disk.
  bool write(const RecordGrant& grant, uint8_t* out) const;

 private:
  uint64_t end(uint32_t position, uint8_t level) const { return static_cast<uint64_t>(ends_[position * levels_ + level]); }
  bool read(uint32_t position, uint64_t first, uint64_t end, uint8_t* out) const;

  int file_;
  size_t levels_;
  std::vector<int64_t> ends_;
  std::vector<StreamPlace> places_;
};

}  // namespace voxcast

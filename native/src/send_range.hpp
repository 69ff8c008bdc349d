// A range of a file out of a socket without a copy, when nothing of it has to come from the disk.
#pragma once
#include <cstddef>
#include <cstdint>

namespace voxcast {

struct Frame {  // what stands around the range in the same answer
  const uint8_t* head;
  size_t head_bytes;
  const uint8_t* tail;
  size_t tail_bytes;
};

constexpr int64_t kNotCached = -1, kFailed = -2;  // nothing was sent; errno says why

// How many bytes of head, range and tail the socket has taken. It never waits for the socket: what is missing is the caller's.
// Pages are looked at where they begin, end, and every 128 KiB: one that was dropped in between costs a read from the disk.
// `is_cached`: they need not be looked at.
int64_t send_range(int socket, const Frame& around, int file, uint64_t offset, size_t length, bool is_cached = false);

}  // namespace voxcast

#include "source.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace voxcast {

const uint8_t* FileSource::at(uint64_t offset, size_t n) {
  if (offset > size_ || n > size_ - offset) throw ScanError(Fault::truncated, "", offset + n, size_);
  if (offset >= window_at_ && offset - window_at_ + n <= window_.size()) return window_.data() + (offset - window_at_);
  if (n > window_max_) throw ScanError(Fault::too_large, "header_bytes_max", n, window_max_);
  // A hop lands on an element header: a small read is enough there, a large one where a value is asked for.
  constexpr size_t kStep = 16 * 1024;
  const size_t want = static_cast<size_t>(std::min<uint64_t>(std::max(n, kStep), size_ - offset));
  window_.resize(want);
  size_t have = 0;
  while (have < want) {
    const ssize_t got = pread(fd_, window_.data() + have, want - have, static_cast<off_t>(base_ + offset + have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      window_.clear();
      throw ScanError(Fault::io, std::strerror(errno));
    }
    if (got == 0) break;
    have += static_cast<size_t>(got);
  }
  window_.resize(have);
  window_at_ = offset;
  if (have < n) throw ScanError(Fault::truncated, "", offset + n, offset + have);
  return window_.data();
}

}  // namespace voxcast

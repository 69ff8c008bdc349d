#include "pack_records.hpp"

#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace voxcast {
namespace {

constexpr uint8_t kChunk = 1, kRun = 2;
constexpr uint64_t kPayloadMax = 64 * 1024 * 1024;  // of a record; chunks are some KiB, a run is no longer than a chunk

// Without waiting for the disk: a page that is not there makes the read short, or EAGAIN.
bool read_now(int file, int64_t at, uint64_t size, uint8_t* out) {
  while (size > 0) {
    iovec room{out, static_cast<size_t>(size)};
    const ssize_t n = preadv2(file, &room, 1, static_cast<off_t>(at), RWF_NOWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;  // also the end of the file, and a file system that cannot say: the caller's slow way knows why
    out += n, at += n, size -= static_cast<uint64_t>(n);
  }
  return true;
}

template <typename T>
uint8_t* put(uint8_t* out, T value) {  // little endian, as the machines that this is built for
  std::memcpy(out, &value, sizeof value);
  return out + sizeof value;
}

}  // namespace

PackRecords::PackRecords(int file, size_t levels, std::vector<int64_t> ends, std::vector<StreamPlace> places)
    : file_(file), levels_(levels), ends_(std::move(ends)), places_(std::move(places)) {
  if (levels_ == 0 || levels_ > 64 || ends_.size() != levels_ * places_.size()) throw std::invalid_argument("ends of another series");
  for (const StreamPlace& place : places_) {
    if (place.small < 0 || (place.small > 0 && place.small_at < 0)) throw std::invalid_argument("a place before the file");
  }
}

size_t PackRecords::size(const RecordGrant& grant) const {
  if (grant.count == 0 || grant.level >= levels_) return 0;
  if (grant.position >= places_.size() || grant.count > places_.size() - grant.position) return 0;
  uint64_t bytes = 0;
  for (uint32_t position = grant.position; position < grant.position + grant.count; ++position) {
    if (places_[position].own_at < 0) return 0;
    const uint64_t last = end(position, static_cast<uint8_t>(levels_ - 1));
    const uint64_t first = grant.count == 1 ? grant.first : 0;
    const uint64_t until = grant.count == 1 ? grant.end : end(position, grant.level);
    if (first >= until || until > last) return 0;
    bytes += until - first;
    if (bytes > kPayloadMax) return 0;
  }
  return kRecordHeadBytes + static_cast<size_t>(bytes);
}

bool PackRecords::write(const RecordGrant& grant, uint8_t* out) const {
  const bool is_run = grant.count > 1;
  const auto length = static_cast<uint32_t>(size(grant) - kRecordHeadBytes);
  out = put(out, is_run ? kRun : kChunk);
  out = put(out, grant.level);
  out = put(out, grant.flags);
  out = put(out, grant.series);
  out = put(out, grant.generation);
  out = put(out, grant.position);
  out = put(out, is_run ? grant.count : static_cast<uint32_t>(grant.first));
  out = put(out, length);
  if (!is_run) return read(grant.position, grant.first, grant.end, out);
  for (uint32_t position = grant.position; position < grant.position + grant.count; ++position) {
    const uint64_t until = end(position, grant.level);
    if (!read(position, 0, until, out)) return false;
    out += until;
  }
  return true;
}

bool PackRecords::read(uint32_t position, uint64_t first, uint64_t end, uint8_t* out) const {
  const StreamPlace& place = places_[position];
  const auto small = static_cast<uint64_t>(place.small);
  if (first < small) {
    const uint64_t until = std::min(end, small);
    if (!read_now(file_, place.small_at + static_cast<int64_t>(first), until - first, out)) return false;
    out += until - first;
    first = until;
  }
  if (first >= end) return true;
  return read_now(file_, place.own_at + static_cast<int64_t>(first - small), end - first, out);
}

}  // namespace voxcast

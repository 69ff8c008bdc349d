#include "commit_mark.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace voxcast {
namespace {

// LMDB 0.9, data format 1, 64 bits: a page's head of 16 bytes, then MDB_meta. The two metas take turns; the larger number counts.
constexpr size_t kMetaAt = 16, kNumberAt = kMetaAt + 128;
constexpr uint32_t kMagic = 0xBEEFC0DE, kFormat = 1;

}  // namespace

CommitMark::CommitMark(const std::string& file, size_t page_bytes) : pages_(nullptr), page_bytes_(page_bytes) {
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) throw std::runtime_error(file + ": " + std::strerror(errno));
  struct stat about {};
  const bool is_whole = page_bytes >= kNumberAt + 8 && ::fstat(descriptor, &about) == 0 && static_cast<size_t>(about.st_size) >= 2 * page_bytes;
  void* at = is_whole ? ::mmap(nullptr, 2 * page_bytes, PROT_READ, MAP_SHARED, descriptor, 0) : MAP_FAILED;
  const int reason = is_whole ? errno : EINVAL;
  ::close(descriptor);
  if (at == MAP_FAILED) throw std::runtime_error(file + ": " + std::strerror(reason));
  pages_ = static_cast<const uint8_t*>(at);
  for (size_t page = 0; page < 2; ++page) {
    uint32_t words[2];
    std::memcpy(words, pages_ + page * page_bytes + kMetaAt, sizeof words);
    if (words[0] == kMagic && words[1] == kFormat) continue;
    ::munmap(at, 2 * page_bytes);
    throw std::runtime_error(file + " has another format than LMDB's first");
  }
}

CommitMark::~CommitMark() { ::munmap(const_cast<uint8_t*>(pages_), 2 * page_bytes_); }

uint64_t CommitMark::read() const {
  const auto number = [this](size_t page) {
    return reinterpret_cast<const std::atomic<uint64_t>*>(pages_ + page * page_bytes_ + kNumberAt)->load(std::memory_order_acquire);
  };
  return std::max(number(0), number(1));
}

}  // namespace voxcast

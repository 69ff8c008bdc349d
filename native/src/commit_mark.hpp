// The number of the last commit of an LMDB environment, read where LMDB itself reads it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace voxcast {

// Any process's commits are seen at once, without a transaction; any thread.
class CommitMark {
 public:
  // `file`: data.mdb. Throws std::runtime_error where it cannot be mapped, or has no two meta pages there.
  CommitMark(const std::string& file, size_t page_bytes);
  ~CommitMark();
  CommitMark(const CommitMark&) = delete;
  CommitMark& operator=(const CommitMark&) = delete;

  uint64_t read() const;

 private:
  const uint8_t* pages_;
  size_t page_bytes_;
};

}  // namespace voxcast

// Where the bytes of a data set come from: memory, or a file read through a small window.
#pragma once
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace voxcast {

// Why a data set cannot be read; the binding maps each kind to one class of engine/errors.py.
enum class Fault { not_dicom, truncated, malformed, too_large, missing_uid, io };

struct ScanError : std::runtime_error {
  Fault fault;
  uint64_t first, second;  // truncated: needed, have; too_large: value, limit; malformed: offset
  ScanError(Fault kind, const std::string& what, uint64_t a = 0, uint64_t b = 0)
      : std::runtime_error(what), fault(kind), first(a), second(b) {}
};

// Random access to bytes. A pointer that `at` returned is good until the next call.
class Source {
 public:
  virtual ~Source() = default;
  virtual uint64_t size() const = 0;
  // n bytes from offset; throws ScanError(truncated) when they are not there, too_large when a window cannot hold them.
  virtual const uint8_t* at(uint64_t offset, size_t n) = 0;
};

class MemorySource final : public Source {
 public:
  MemorySource(const uint8_t* data, uint64_t size) : data_(data), size_(size) {}
  uint64_t size() const override { return size_; }
  const uint8_t* at(uint64_t offset, size_t n) override {
    if (offset > size_ || n > size_ - offset) throw ScanError(Fault::truncated, "", offset + n, size_);
    return data_ + offset;
  }

 private:
  const uint8_t* data_;
  uint64_t size_;
};

// A part of a file, by pread; holds at most `window_max` bytes however large the values are that are hopped over.
class FileSource final : public Source {
 public:
  FileSource(int fd, uint64_t offset, uint64_t size, size_t window_max)
      : fd_(fd), base_(offset), size_(size), window_max_(window_max) {}
  uint64_t size() const override { return size_; }
  const uint8_t* at(uint64_t offset, size_t n) override;

 private:
  int fd_;
  uint64_t base_, size_;
  size_t window_max_;
  std::vector<uint8_t> window_;
  uint64_t window_at_ = 0;
};

}  // namespace voxcast

// The data set inside a Part 10 stream, inflated where it is deflated (PS3.5 A.5), and what the caller lends for that.
#pragma once
#include <functional>
#include <string>

#include "charset.hpp"
#include "part10.hpp"

namespace voxcast {

struct Hooks {
  TextDecoder decode_text;
  // Raw deflate (RFC 1951) to bytes; at most `max` of them, else it throws ScanError(too_large).
  std::function<std::string(const uint8_t* data, size_t n, size_t max)> inflate;
};

class DataSet {
 public:
  DataSet(Source& file, const Limits& limits, const Hooks& hooks)
      : outside(read_part10(file, limits)), inflated_(inflate(file, limits, hooks)), inner_(bytes(inflated_), inflated_.size()), file_(file) {}
  DataSet(const DataSet&) = delete;
  DataSet& operator=(const DataSet&) = delete;

  const Part10 outside;
  // Where its elements are and begin: in the file, or in what was inflated.
  Source& source() { return outside.is_deflated ? static_cast<Source&>(inner_) : file_; }
  uint64_t at() const { return outside.is_deflated ? 0 : outside.data_set_at; }

 private:
  std::string inflate(Source& file, const Limits& limits, const Hooks& hooks) const {
    if (!outside.is_deflated) return {};
    const auto n = static_cast<size_t>(file.size() - outside.data_set_at);
    return hooks.inflate(file.at(outside.data_set_at, n), n, limits.inflated_bytes_max);
  }
  static const uint8_t* bytes(const std::string& s) { return reinterpret_cast<const uint8_t*>(s.data()); }

  const std::string inflated_;
  MemorySource inner_;
  Source& file_;
};

}  // namespace voxcast

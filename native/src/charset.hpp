// Text of a data set to UTF-8 (PS3.3 C.12.1.1.2, PS3.5 6.1).
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

namespace voxcast {

// Decodes what this library has no tables for (ISO 2022 escapes, GB18030, Japanese, Korean).
// Gets the value of Specific Character Set as it stands and the raw bytes; gives UTF-8; sets `ok` false when it had to replace. `is_name`: ^ and = delimit.
using TextDecoder = std::function<std::string(const std::string& charset, const char* raw, size_t n, bool is_name, bool* ok)>;

class Charset {
 public:
  explicit Charset(const TextDecoder* decoder) : decoder_(decoder) {}

  void set(const std::string& specific_character_set);
  const std::string& value() const { return value_; }

  // Appends n bytes of text as valid UTF-8. False when something had to be replaced by U+FFFD.
  bool append(std::string& out, const char* raw, size_t n, bool is_name = false) const;

 private:
  enum class Kind { ascii, page, utf8, other };
  const TextDecoder* decoder_;
  std::string value_;
  Kind kind_ = Kind::ascii;
  const uint16_t* page_ = nullptr;
};

// ASCII without an escape, which is the same in every set.
bool is_plain(const char* raw, size_t n);
void append_code_point(std::string& out, uint32_t code_point);
// Copies n bytes that should be UTF-8; every ill-formed byte becomes U+FFFD and the answer false.
bool append_utf8(std::string& out, const char* raw, size_t n);
// Bytes whose character set nobody named. False when one is above 127: then UTF-8 where they are that, else Latin 1,
// which most writers of such files meant (and pydicom assumes).
bool append_unnamed(std::string& out, const char* raw, size_t n);

}  // namespace voxcast

// The two words that clients of voxcast.stream.v1 say all the time (docs/stream.md), read without a JSON parser.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace voxcast {

// A flat JSON object of plain members, each at most once. Anything else is none: nested values, escapes, other names, numbers
// that are not written as whole ones where a whole one belongs. Who asked then asks a JSON parser, which knows what is wrong.
struct PlainWord {
  enum class Kind { kNone, kGot, kLook } kind = Kind::kNone;
  int64_t bytes = 0;
  bool has_viewport = false, has_series = false, has_bytes = false;
  bool has_position = false, has_width = false, has_height = false, has_direction = false, has_velocity = false, has_loop = false;
  int64_t viewport = 0, series = 0, position = 0, width = 0, height = 0, direction = 0;
  double velocity = 0;
  bool is_loop = false;
};

PlainWord plain_word(std::string_view text);

}  // namespace voxcast

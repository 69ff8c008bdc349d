// One attribute in the DICOM JSON model (PS3.18 F.2.2 to F.2.7).
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "charset.hpp"
#include "walker.hpp"

namespace voxcast {

// What was odd in the values that were written.
struct JsonDefects {
  bool text = false;      // a character could not be decoded
  bool number = false;    // a DS or IS that is no number
  bool sequence = false;  // a sequence whose items could not be read
};

// Appends the members of one attribute's object, without the braces: "vr":"DS","Value":[1.5]
void append_json_value(std::string& out, const Element& e, const uint8_t* value, bool pixels_are_signed,
                       const Charset& charset, JsonDefects& defects);
void append_json_tag(std::string& out, uint32_t tag);  // "00100010":
void append_json_string(std::string& out, std::string_view utf8);

// Where each attribute of an object begins in the text, in the order in which they came.
using Members = std::vector<std::pair<uint32_t, size_t>>;
// Puts the attributes from `start` to the end of `out` into tag order; the last one of a tag stays, as readers of data sets do.
void sort_json_members(std::string& out, size_t start, const Members& members);
void append_json_vr(std::string& out, uint16_t code);  // "vr":"DS"
void append_hex32(std::string& out, uint32_t v);       // 00100010
bool is_string_vr(uint16_t code);
// "US or SS" of PS3.6, decided by Pixel Representation.
uint16_t settled_vr(uint16_t code, bool pixels_are_signed);

}  // namespace voxcast

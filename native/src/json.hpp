// DICOM JSON model (PS3.18 annex F).
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

struct JsonOptions {
  std::string bulk_data_uri;      // values that are not inline are at bulk_data_uri/tag[/item/tag…]
  std::string transfer_syntax;    // (0008,3002) Available Transfer Syntax UID
  bool is_prefix = false;
};

// The whole data set as one JSON object. `defects` tells what was odd.
std::string data_set_json(Source& source, uint64_t at, Encoding encoding, const Limits& limits, const TextDecoder& decoder,
                          const JsonOptions& options, JsonDefects& defects);
// One sequence as "vr":"SQ","Value":[…]; for the few sequences that the index keeps.
void append_json_sequence(std::string& out, Source& source, const Element& e, const Limits& limits, const Charset& charset,
                          bool pixels_are_signed, JsonDefects& defects);

}  // namespace voxcast

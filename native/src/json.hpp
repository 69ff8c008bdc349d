// DICOM JSON model (PS3.18 annex F).
#pragma once
#include <cstdint>
#include <string>
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
void append_json_string(std::string& out, const std::string& utf8);

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

// DICOM JSON model (PS3.18 annex F).
#pragma once
#include <cstdint>
#include <string>

#include "json_value.hpp"

namespace voxcast {

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

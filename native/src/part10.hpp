// The outside of a Part 10 file: preamble, File Meta Information, and where the data set begins (PS3.10 section 7).
#pragma once
#include <string>

#include "walker.hpp"

namespace voxcast {

struct Part10 {
  std::string transfer_syntax_uid;
  std::string sop_class_uid, sop_instance_uid;  // of the File Meta; empty where it has none
  uint64_t data_set_at = 0;
  Encoding encoding;
  bool is_deflated = false;
  bool is_encapsulated = false;
  std::vector<std::string> defects;
};

// Throws ScanError(not_dicom) when these bytes begin like nothing that DICOM defines.
Part10 read_part10(Source& source, const Limits& limits);

}  // namespace voxcast

// One value of a data set by its path, for whoever follows a BulkDataURI.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "data_set.hpp"

namespace voxcast {

// Where the value is that a BulkDataURI names by its path: tag, or tag/item/tag….
struct Located {
  std::string bytes;         // when the value had to be inflated or swapped
  uint64_t at = 0, length = 0;  // otherwise: in the stream
  bool is_encapsulated = false;
};
std::optional<Located> locate(Source& source, const std::vector<uint32_t>& path, const Limits& limits, const Hooks& hooks);

}  // namespace voxcast

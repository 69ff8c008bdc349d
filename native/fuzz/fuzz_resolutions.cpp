// Fuzz target of the resolutions of a code stream: whatever it claims, no end is outside its bytes. Input: the code stream.
#include <vector>

#include "bad_code.hpp"
#include "fuzz.hpp"
#include "resolutions.hpp"

using namespace voxcast;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::vector<uint8_t> exact(data, data + size);
  Resolutions found;
  try {
    found = resolution_ends(exact.data(), size);
  } catch (const BadCode&) {
    return 0;
  }
  if (found.ends.empty() == found.reason.empty()) wrong("neither ends nor a reason, or both");
  if (found.ends.size() > 33) wrong("more resolutions than T.800 has");
  uint64_t before = 0;
  for (const uint64_t end : found.ends) {
    if (end <= before || end > size) wrong("an end that does not rise, or lies outside the bytes");
    before = end;
  }
  return 0;
}

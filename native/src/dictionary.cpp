#include "dictionary.hpp"

#include <algorithm>
#include <iterator>

namespace voxcast {
namespace {
struct Entry {
  uint32_t tag;
  uint16_t vr;
};
constexpr Entry kEntries[] = {
#include "dictionary_data.inc"
};
}  // namespace

uint16_t dictionary_vr(uint32_t tag) {
  const uint32_t group = tag >> 16, element = tag & 0xFFFF;
  if (element == 0) return vr::UL;
  if (group & 1) return element >= 0x10 && element <= 0xFF ? vr::LO : vr::UN;  // private creators (PS3.5 7.8.1)
  // Repeating groups: curves 50xx and overlays 60xx are listed under their first group.
  if ((group & 0xFF00) == 0x5000 || (group & 0xFF00) == 0x6000) tag &= 0xFF00FFFF;
  if ((tag & 0xFFFFFF00) == 0x00203100) return vr::CS;  // (0020,31xx) Source Image IDs
  const auto at = std::lower_bound(std::begin(kEntries), std::end(kEntries), tag,
                                   [](const Entry& e, uint32_t t) { return e.tag < t; });
  return at != std::end(kEntries) && at->tag == tag ? at->vr : vr::UN;
}

bool is_known_vr(uint16_t code) {
  switch (code) {
    case vr::AE: case vr::AS: case vr::AT: case vr::CS: case vr::DA: case vr::DS: case vr::DT: case vr::FD: case vr::FL:
    case vr::IS: case vr::LO: case vr::LT: case vr::OB: case vr::OD: case vr::OF: case vr::OL: case vr::OV: case vr::OW:
    case vr::PN: case vr::SH: case vr::SL: case vr::SQ: case vr::SS: case vr::ST: case vr::SV: case vr::TM: case vr::UC:
    case vr::UI: case vr::UL: case vr::UN: case vr::UR: case vr::US: case vr::UT: case vr::UV: return true;
    default: return false;
  }
}

bool has_long_length(uint16_t code) {
  switch (code) {
    case vr::OB: case vr::OD: case vr::OF: case vr::OL: case vr::OV: case vr::OW: case vr::SQ: case vr::SV: case vr::UC:
    case vr::UN: case vr::UR: case vr::UT: case vr::UV: return true;
    default: return false;
  }
}

size_t word_size(uint16_t code) {
  switch (code) {
    case vr::OW: case vr::SS: case vr::US: return 2;
    case vr::FL: case vr::OF: case vr::OL: case vr::SL: case vr::UL: return 4;
    case vr::AT: return 4;
    case vr::FD: case vr::OD: case vr::OV: case vr::SV: case vr::UV: return 8;
    default: return 1;
  }
}

}  // namespace voxcast

#include "locate.hpp"

#include <algorithm>

#include "walker.hpp"

namespace voxcast {
namespace {
// Goes down one path and stops at its end.
struct PathVisitor {
  const std::vector<uint32_t>& path;  // tag, item, tag, item, …, tag
  Source& source;
  std::optional<Element> found;
  uint32_t bits_allocated = 0;
  std::vector<bool> on_path;
  bool sequence(const Element& e, unsigned depth) {
    return !found && 2 * depth + 1 < path.size() && path[2 * depth] == e.tag && inside(depth);
  }
  void sequence_end(const Element&, unsigned, bool) {}
  void item(uint32_t index, unsigned depth) {
    on_path.resize(depth + 1);
    on_path[depth] = 2 * depth + 1 < path.size() && path[2 * depth + 1] == index;
  }
  void item_end(unsigned depth) { on_path.resize(depth); }
  bool inside(unsigned depth) const { return depth == 0 || (on_path.size() >= depth && on_path[depth - 1]); }
  bool value(const Element& e, unsigned depth) {
    if (depth == 0 && e.tag == 0x00280100 && e.length == 2) bits_allocated = read16(source.at(e.at, 2), e.encoding.is_big_endian);
    if (2 * depth + 1 != path.size() || path[2 * depth] != e.tag || !inside(depth)) return true;
    found = e;
    return false;
  }
};
}  // namespace

std::optional<Located> locate(Source& file, const std::vector<uint32_t>& path, const Limits& limits, const Hooks& hooks) {
  DataSet data_set(file, limits, hooks);
  Source* const source = &data_set.source();
  PathVisitor visitor{path, *source, std::nullopt, 0, {}};
  Walker<PathVisitor> walker(*source, limits, visitor);
  try {
    walker.walk(data_set.at(), data_set.outside.encoding, false);
  } catch (const ScanError& error) {
    if (error.fault != Fault::malformed || !visitor.found) throw;
  }
  if (!visitor.found) return std::nullopt;
  const Element& e = *visitor.found;
  Located out;
  out.is_encapsulated = e.length == kUndefined;
  out.at = e.at;
  if (e.length != kUndefined) {
    out.length = e.length;
  } else {
    uint64_t p = e.at;
    for (;;) {
      const uint8_t* item = source->at(p, 8);
      const uint32_t tag = uint32_t(read16(item, false)) << 16 | read16(item + 2, false), length = read32(item + 4, false);
      p += 8;
      if (tag != kItem) break;
      p += length;
    }
    out.length = p - e.at;
  }
  size_t word = word_size(e.vr);
  // Cells of 32 and 64 bits in OW are turned round whole, as pydicom and others take them.
  if (e.tag == kPixelData && path.size() == 1 && word == 2 && visitor.bits_allocated > 16) word = visitor.bits_allocated / 8;
  if (e.encoding.is_big_endian && word > 1 && !out.is_encapsulated) {
    // What leaves is little endian (PS3.18 8.7.3.3.2).
    const uint8_t* p = source->at(e.at, e.length);
    out.bytes.assign(reinterpret_cast<const char*>(p), e.length);
    for (size_t i = 0; i + word <= out.bytes.size(); i += word) std::reverse(out.bytes.begin() + i, out.bytes.begin() + i + word);
    out.at = 0;
  } else if (data_set.outside.is_deflated) {
    const auto n = static_cast<size_t>(out.length);
    out.bytes.assign(reinterpret_cast<const char*>(source->at(out.at, n)), n);
    out.at = 0;
  }
  return out;
}

}  // namespace voxcast

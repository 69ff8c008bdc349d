#include "frames.hpp"

#include <algorithm>
#include <limits>

namespace voxcast {
namespace {

enum Kind : uint8_t { native = 1, encapsulated = 2, deflated = 3, stream = 4 };

void put(std::string& out, uint64_t v, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(v >> (8 * i) & 0xFF);
}

std::string head(Kind kind, uint64_t count, uint64_t base, uint64_t stride_bits, uint64_t offset, uint64_t length) {
  std::string out;
  put(out, kind, 1);
  put(out, 1, 1);
  put(out, 0, 2);
  put(out, count, 4);
  put(out, base, 8);
  put(out, stride_bits, 8);
  put(out, offset, 8);
  put(out, length, 8);
  return out;
}

struct Fragment {
  uint64_t item;    // its item header
  uint32_t length;  // of its value
};

// An RLE header (PS3.5 G.5): as many offsets as it says, the lowest right behind it, zeros for the rest. Fewer checks would take
// a literal run in the middle of a frame for one.
bool is_rle_header(const uint8_t* p) {
  const uint32_t count = read32(p, false);
  if (count < 1 || count > 15) return false;
  uint32_t lowest = std::numeric_limits<uint32_t>::max();
  for (uint32_t i = 0; i < 15; ++i) {
    const uint32_t offset = read32(p + 4 + 4 * i, false);
    if (i < count) lowest = std::min(lowest, offset);
    else if (offset != 0) return false;
  }
  return lowest == 64;
}

// A code stream begins with one of these: JPEG family SOI and the next marker, JPEG 2000 SOC and SIZ (packets may hold FF4F, not that),
// JPEG XL, boxes, RLE.
bool begins_code_stream(Source& source, const Fragment& f) {
  if (f.length < 4) return false;
  const uint8_t* p = source.at(f.item + 8, 4);
  if (p[0] == 0xFF && ((p[1] == 0xD8 && p[2] == 0xFF) || (p[1] == 0x4F && p[2] == 0xFF && p[3] == 0x51) || p[1] == 0x0A)) return true;
  if (p[0] == 0 && p[1] == 0 && p[2] == 0 && p[3] == 0x0C && f.length >= 12) return true;
  return f.length >= 64 && is_rle_header(source.at(f.item + 8, 64));
}

// Frames from the fragments at which they start; the last one ends before fragment `end`.
void append_spans(std::string& out, const std::vector<Fragment>& fragments, const std::vector<size_t>& starts, size_t end) {
  for (size_t i = 0; i < starts.size(); ++i) {
    const size_t from = starts[i], to = i + 1 < starts.size() ? starts[i + 1] : end;
    const Fragment &first = fragments[from], &last = fragments[to - 1];
    const bool one = to - from == 1;
    const uint64_t at = one ? first.item + 8 : first.item;
    put(out, at, 8);
    put(out, last.item + 8 + last.length - at, 4);
    put(out, to - from, 4);
  }
}

// The fragment that begins at each offset (counted from the first fragment's item header); empty when one does not.
std::vector<size_t> starts_at(const std::vector<Fragment>& fragments, const std::vector<uint64_t>& offsets) {
  std::vector<size_t> starts;
  if (fragments.empty()) return starts;
  for (const uint64_t offset : offsets) {
    const uint64_t item = fragments[0].item + offset;
    const auto f = std::lower_bound(fragments.begin(), fragments.end(), item,
                                    [](const Fragment& a, uint64_t b) { return a.item < b; });
    if (f == fragments.end() || f->item != item) return {};
    const auto index = static_cast<size_t>(f - fragments.begin());
    if (!starts.empty() && index <= starts.back()) return {};
    starts.push_back(index);
  }
  if (!starts.empty() && starts[0] != 0) return {};
  return starts;
}

}  // namespace

FrameTable native_frames(const NativePixels& pixels, const Limits& limits) {
  FrameTable table;
  const uint64_t bits = pixels.length > std::numeric_limits<uint64_t>::max() / 8 ? 0 : pixels.length * 8;
  const uint64_t there = pixels.stride_bits == 0 ? 0 : bits / pixels.stride_bits;
  uint64_t count = pixels.frames;
  if (there < count) {
    table.defects.emplace_back("pixel-data-short");
    count = there;
  }
  if (count > limits.frames_max) throw ScanError(Fault::too_large, "frames_max", count, limits.frames_max);
  if (count == 0) return table;
  const uint64_t needed = (count * pixels.stride_bits + 7) / 8;
  if (pixels.length > needed + 1) table.defects.emplace_back("pixel-data-long");
  table.packed = head(pixels.is_deflated ? deflated : native, count, pixels.at, pixels.stride_bits, pixels.deflated_at,
                      pixels.deflated_length);
  return table;
}

FrameTable encapsulated_frames(Source& source, const EncapsulatedPixels& pixels, const Limits& limits, uint64_t& end) {
  FrameTable table;
  std::vector<uint64_t> basic;
  std::vector<Fragment> fragments;
  uint64_t at = pixels.at;
  for (bool is_first = true;; is_first = false) {
    const uint8_t* p = source.at(at, 8);
    const uint32_t tag = uint32_t(read16(p, false)) << 16 | read16(p + 2, false), length = read32(p + 4, false);
    if (tag == kSequenceEnd) {
      end = at + 8;
      break;
    }
    if (tag != kItem || length == kUndefined) throw ScanError(Fault::malformed, "something else than a fragment in pixel data", at);
    if (length > source.size() - at - 8) throw ScanError(Fault::truncated, "", at + 8 + length, source.size());
    const Fragment item{at, length};
    // Some leave the item of the table out, not only its value. A table begins with the offset of the first frame, 0: no code stream does.
    const bool is_table = is_first && !begins_code_stream(source, item);
    if (is_first && !is_table) table.defects.emplace_back("offset-table-wrong");
    if (is_table) {
      if (length / 4 > limits.frames_max) throw ScanError(Fault::too_large, "frames_max", length / 4, limits.frames_max);
      basic.reserve(length / 4);
      // The window of a file source may be smaller than the table.
      for (uint64_t i = 0; i + 4 <= length; i += 4) basic.push_back(read32(source.at(at + 8 + i, 4), false));
    } else {
      if (fragments.size() >= limits.frames_max * 4)
        throw ScanError(Fault::too_large, "frames_max", fragments.size() / 4, limits.frames_max);
      fragments.push_back(item);
    }
    at += 8 + uint64_t(length);
  }
  if (fragments.empty() || pixels.frames == 0) {
    table.defects.emplace_back("pixel-data-short");
    return table;
  }
  if (pixels.frames > limits.frames_max) throw ScanError(Fault::too_large, "frames_max", pixels.frames, limits.frames_max);

  if (pixels.is_stream) {
    const Fragment &first = fragments.front(), &last = fragments.back();
    const uint64_t from = fragments.size() == 1 ? first.item + 8 : first.item;
    table.packed = head(stream, pixels.frames, from, fragments.size(), 0, last.item + 8 + last.length - from);
    return table;
  }
  std::vector<size_t> starts;
  size_t behind = fragments.size();
  if (!pixels.extended_offsets.empty()) {
    if (pixels.extended_offsets.size() == pixels.frames) starts = starts_at(fragments, pixels.extended_offsets);
    if (starts.empty()) table.defects.emplace_back("offset-table-wrong");
  }
  if (starts.empty() && !basic.empty()) {
    // Offsets have 32 bits; in objects over 4 GiB they wrap, and the other ways below are right.
    if (basic.size() == pixels.frames) starts = starts_at(fragments, basic);
    if (starts.empty()) table.defects.emplace_back("offset-table-wrong");
  }
  if (starts.empty() && pixels.frames == 1) starts = {0};
  if (starts.empty() && fragments.size() == pixels.frames) {
    starts.resize(fragments.size());
    for (size_t i = 0; i < starts.size(); ++i) starts[i] = i;
  }
  if (starts.empty()) {
    for (size_t i = 0; i < fragments.size(); ++i)
      if (i == 0 || begins_code_stream(source, fragments[i])) starts.push_back(i);
    if (starts.size() > pixels.frames) {
      behind = starts[pixels.frames];
      starts.resize(pixels.frames);
      table.defects.emplace_back("pixel-data-long");
    }
    if (starts.size() < pixels.frames) table.defects.emplace_back("pixel-data-short");
  }
  table.packed = head(encapsulated, starts.size(), 0, 0, 0, 0);
  table.packed.reserve(table.packed.size() + starts.size() * 16);
  append_spans(table.packed, fragments, starts, behind);
  return table;
}

}  // namespace voxcast

#include <algorithm>
#include <array>
#include <cstring>

#include "bad_code.hpp"
#include "planes.hpp"
#include "rle.hpp"

namespace voxcast {
namespace {

constexpr size_t kHead = 64;   // G.5
constexpr size_t kTile = 4096;  // bytes of a plane at a time: all planes of a pixel stay in the first-level cache
constexpr size_t kRun = 128;
constexpr size_t kStep = 32;   // runs are written in such steps, so up to so much behind their end

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "cells are written little endian, and read as the machine has them");

uint32_t offset_at(const uint8_t* p) { return uint32_t(p[0]) | uint32_t(p[1]) << 8 | uint32_t(p[2]) << 16 | uint32_t(p[3]) << 24; }

// One RLE segment on its way into a tile of its plane.
class Segment {
 public:
  void open(const uint8_t* at, const uint8_t* end, const uint8_t* data_end) { at_ = at, end_ = end, data_end_ = data_end; }
  const uint8_t* bytes() const { return tile_.data(); }
  size_t have() const { return have_; }

  // Unpacks until the tile has `wanted` bytes (at most kTile) or the segment is at its end.
  void fill(size_t wanted) {
    const uint8_t *at = at_, *const end = end_;
    uint8_t *out = tile_.data() + have_, *const stop = tile_.data() + wanted;
    while (out < stop && at < end) {
      const unsigned control = *at++;
      if (control < 128) {
        const size_t n = std::min<size_t>(control + 1, static_cast<size_t>(end - at));
        if (static_cast<size_t>(data_end_ - at) >= kRun + kStep) {
          // Whole steps, whatever they carry behind the run: a length that is known is a branch that is not missed.
          std::memcpy(out, at, kStep);
          for (size_t i = kStep; i < n; i += kStep) std::memcpy(out + i, at + i, kStep);
        } else {
          std::memcpy(out, at, n);
        }
        out += n, at += n;
      } else if (control > 128) {
        if (at == end) break;
        const size_t n = 257 - control;
        std::memset(out, *at, kStep);
        for (size_t i = kStep; i < n; i += kStep) std::memset(out + i, *at, kStep);
        out += n, ++at;
      }
    }
    at_ = at, have_ = static_cast<size_t>(out - tile_.data());
  }
  // The first n bytes were used; what a run wrote behind them comes next.
  void drop(size_t n) {
    have_ -= n;
    std::memmove(tile_.data(), tile_.data() + n, have_);
  }

 private:
  const uint8_t *at_ = nullptr, *end_ = nullptr, *data_end_ = nullptr;
  size_t have_ = 0;
  std::array<uint8_t, kTile + kRun + kStep> tile_;
};

// Offsets may come in any order: a segment ends where the next one in the bytes begins.
void open_segments(Segment* segments, unsigned count, const uint8_t* data, size_t size) {
  std::array<size_t, kPlanesMax> starts{};
  for (unsigned s = 0; s < count; ++s) {
    starts[s] = offset_at(data + 4 + 4 * s);
    if (starts[s] < kHead || starts[s] > size)
      throw BadCode("RLE segment " + std::to_string(s + 1) + " begins at byte " + std::to_string(starts[s]) + " of " + std::to_string(size));
  }
  for (unsigned s = 0; s < count; ++s) {
    size_t end = size;
    for (unsigned other = 0; other < count; ++other)
      if (starts[other] > starts[s]) end = std::min(end, starts[other]);
    segments[s].open(data + starts[s], data + end, data + size);
  }
}

}  // namespace

void rle_decode(const uint8_t* data, size_t size, const RleLayout& layout, uint8_t* out) {
  const unsigned count = layout.planes();
  if (count == 0 || count > kPlanesMax) throw BadCode(std::to_string(count) + " byte planes, RLE has 1 to 15");
  if (size < kHead) throw BadCode(std::to_string(size) + " bytes are no RLE header");
  if (const uint32_t said = offset_at(data); said != count)
    throw BadCode(std::to_string(said) + " RLE segments where " + std::to_string(count) + " are needed");
  std::array<Segment, kPlanesMax> segments;
  open_segments(segments.data(), count, data, size);

  // Planes that are written side by side: those of a pixel, or of one sample where samples are apart.
  const unsigned groups = layout.is_planar ? layout.samples : 1, k = count / groups;
  std::array<const uint8_t*, kPlanesMax> planes{};
  for (unsigned s = 0; s < count; ++s) {
    const unsigned sample = s / layout.item_bytes, byte = layout.item_bytes - 1 - s % layout.item_bytes;
    planes[sample * layout.item_bytes + byte] = segments[s].bytes();
  }
  const uint64_t pixels = layout.pixels();
  for (uint64_t done = 0; done < pixels;) {
    const auto n = static_cast<size_t>(std::min<uint64_t>(kTile, pixels - done));
    for (unsigned s = 0; s < count; ++s) {
      segments[s].fill(n);
      if (segments[s].have() < n)
        throw BadCode("RLE segment " + std::to_string(s + 1) + " has " + std::to_string(done + segments[s].have()) + " bytes, not " +
                      std::to_string(pixels));
    }
    for (unsigned g = 0; g < groups; ++g) interleave(planes.data() + g * k, k, n, out + (g * pixels + done) * k);
    for (unsigned s = 0; s < count; ++s) segments[s].drop(n);
    done += n;
  }
}

}  // namespace voxcast

#include "ht_encode.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>

#include "bad_code.hpp"
#include "ht_block.hpp"
#include "packet.hpp"
#include "wavelet.hpp"

namespace voxcast {
namespace {

constexpr size_t kSideMax = 16384;  // a precinct of 2^15 holds it
constexpr size_t kKeptMax = 8 << 20;
constexpr unsigned kLevelsMax = 16;

struct Header {
  unsigned levels = 0, guard = 0;
  std::vector<uint8_t> exponents;  // of LL, then HL, LH and HH from the coarsest level on
  size_t lengths_at = 0;           // TLM's first pair
};

[[noreturn]] void refuse(const char* what) { throw BadCode(std::string("a header for another coder: ") + what); }

uint32_t number(const uint8_t* at, size_t bytes) {
  uint32_t out = 0;
  for (size_t i = 0; i < bytes; ++i) out = out << 8 | at[i];
  return out;
}

void put(uint8_t* at, uint32_t value, size_t bytes) {
  for (size_t i = bytes; i-- > 0; value >>= 8) at[i] = static_cast<uint8_t>(value);
}

void read_size(const uint8_t* segment, size_t size, size_t rows, size_t columns) {
  if (size != 41) refuse("SIZ");
  const auto at = [&](size_t place) { return number(segment + place, 4); };
  const bool is_whole = at(4) == columns && at(8) == rows && at(12) == 0 && at(16) == 0 && at(20) >= columns && at(24) >= rows && at(28) == 0 && at(32) == 0;
  if (!is_whole || number(segment + 36, 2) != 1 || (segment[38] & 0x7F) > 15 || segment[39] != 1 || segment[40] != 1) refuse("SIZ");
}

unsigned read_style(const uint8_t* segment, size_t size) {
  static constexpr uint8_t kOrder[6] = {0, 2, 0, 1, 0, 0};  // plain precincts; RPCL, one layer, no component transformation
  if (size != 12 || std::memcmp(segment + 2, kOrder, 5) != 0) refuse("COD");
  const unsigned levels = segment[7];
  if (levels < 1 || levels > kLevelsMax || segment[8] != 4 || segment[9] != 4 || segment[10] != 0x40 || segment[11] != 1) refuse("COD");
  return levels;
}

Header read(const uint8_t* data, size_t size, size_t rows, size_t columns) {
  Header out;
  bool has_size = false;
  size_t at = 2;
  if (size < 2 || number(data, 2) != 0xFF4F) refuse("no SOC");
  while (at < size) {
    if (size - at < 4) refuse("cut");
    const uint32_t marker = number(data + at, 2), length = number(data + at + 2, 2);
    const uint8_t* const segment = data + at + 2;
    if (length < 2 || length > size - at - 2) refuse("cut");
    if (marker == 0xFF51) {
      read_size(segment, length, rows, columns);
      has_size = true;
    } else if (marker == 0xFF52) {
      out.levels = read_style(segment, length);
    } else if (marker == 0xFF5C) {
      if (length < 3 || (segment[2] & 31) != 0) refuse("QCD");
      out.guard = segment[2] >> 5;
      for (size_t i = 3; i < length; ++i) {
        if ((segment[i] >> 3) + out.guard < 2) refuse("QCD");
        out.exponents.push_back(segment[i] >> 3);
      }
    } else if (marker == 0xFF55) {
      if (length < 4 || segment[3] != 0x60 || at + 2 + length != size) refuse("TLM");
      if (length != 4 + 6 * (out.levels + 1)) refuse("TLM");
      out.lengths_at = at + 6;
    } else if (marker != 0xFF50 && marker != 0xFF64) {
      refuse("a marker");
    }
    at += 2 + length;
  }
  if (!has_size || out.levels == 0 || out.lengths_at == 0 || out.exponents.size() != 3 * out.levels + 1) refuse("a segment is missing");
  return out;
}

// Kept by the thread from image to image: fresh pages cost as much as a wavelet.
struct Workspace {
  std::vector<int32_t> numbers;
  std::vector<uint8_t> bytes;
};

size_t padded(size_t columns) { return (columns + kBlockColumns - 1) / kBlockColumns * kBlockColumns; }

struct Coder {
  Workspace& work;
  size_t used = 0;  // of work.bytes

  void band(const int32_t* samples, size_t stride, size_t rows, size_t columns, unsigned missing, std::vector<CodedBand>& out) {
    CodedBand band;
    band.missing = missing;
    band.across = (columns + kBlockSide - 1) / kBlockSide, band.down = (rows + kBlockSide - 1) / kBlockSide;
    for (size_t y = 0; y < rows; y += kBlockSide) {
      for (size_t x = 0; x < columns; x += kBlockSide) {
        if (work.bytes.size() - used < kBlockBytesMax) throw BadCode("a code stream longer than its image allows");
        uint8_t* const at = work.bytes.data() + used;
        const size_t size = ht_block(samples + y * stride + x, stride, std::min(kBlockSide, columns - x), std::min(kBlockSide, rows - y), at);
        band.blocks.push_back({at, size});
        used += size;
      }
    }
    out.push_back(std::move(band));
  }
};

}  // namespace

std::vector<uint8_t> ht_encode(const int16_t* samples, size_t rows, size_t columns, const uint8_t* header, size_t header_size, HtSmaller& smaller) {
  if (rows < 2 || columns < 2 || rows > kSideMax || columns > kSideMax) refuse("the size");
  const Header head = read(header, header_size, rows, columns);
  if ((std::min(rows, columns) - 1) >> (head.levels - 1) == 0) refuse("levels of less than two samples");
  if (smaller.halvings > head.levels) refuse("fewer levels than the smaller image has halvings");
  thread_local Workspace work;
  const size_t half = (columns + 1) / 2, stride = padded(half), half_rows = (rows + 1) / 2;
  const size_t plane = stride * half_rows, quarter = padded((half + 1) / 2) * ((half_rows + 1) / 2);
  // LL twice, in turn; the three bands of the level under way; two rows and their halves.
  work.numbers.resize(plane + quarter + 3 * plane + 4 * (columns + 64));
  work.bytes.resize(rows * columns * 3 + 4 * (rows + columns) * 32 + 16 * kBlockBytesMax);
  int32_t* const low[2] = {work.numbers.data(), work.numbers.data() + plane};
  int32_t* const high = work.numbers.data() + plane + quarter;
  int32_t* const scratch = high + 3 * plane;
  Coder coder{work};
  std::vector<std::vector<CodedBand>> resolutions(head.levels + 1);
  size_t high_rows = rows, wide = columns, from_stride = columns;
  const auto missing = [&](size_t band) { return head.exponents[band] + head.guard - 2u; };  // all planes but the last pass's
  for (unsigned level = 0; level < head.levels; ++level) {
    const size_t lows_down = (high_rows + 1) / 2, highs_down = high_rows / 2, lows_across = (wide + 1) / 2, highs_across = wide / 2;
    const size_t band_stride = padded(lows_across), band_plane = band_stride * lows_down;
    const Bands out{low[level % 2], high, high + band_plane, high + 2 * band_plane, band_stride, band_stride};
    if (level == 0) wavelet_level(samples, from_stride, high_rows, wide, out, scratch);
    else wavelet_level(low[(level - 1) % 2], from_stride, high_rows, wide, out, scratch);
    const auto clear = [&](int32_t* band, size_t down, size_t across) {  // what blocks read beyond their columns
      for (size_t y = 0; y < down; ++y) std::fill(band + y * band_stride + across, band + (y + 1) * band_stride, 0);
    };
    clear(out.ll, lows_down, lows_across);
    clear(out.hl, lows_down, highs_across);
    clear(out.lh, highs_down, lows_across);
    clear(out.hh, highs_down, highs_across);
    auto& bands = resolutions[head.levels - level];
    const size_t first = 3 * (head.levels - level) - 2;
    coder.band(out.hl, band_stride, lows_down, highs_across, missing(first), bands);
    coder.band(out.lh, band_stride, highs_down, lows_across, missing(first + 1), bands);
    coder.band(out.hh, band_stride, highs_down, highs_across, missing(first + 2), bands);
    high_rows = lows_down, wide = lows_across, from_stride = band_stride;
    if (level + 1 == smaller.halvings) {
      smaller.rows = high_rows, smaller.columns = wide;
      smaller.samples.reserve(high_rows * wide);
      for (size_t y = 0; y < high_rows; ++y) smaller.samples.insert(smaller.samples.end(), out.ll + y * band_stride, out.ll + y * band_stride + wide);
    }
  }
  coder.band(low[(head.levels - 1) % 2], from_stride, high_rows, wide, missing(0), resolutions[0]);

  std::vector<uint8_t> out(header, header + header_size);
  out.reserve(header_size + coder.used + 64 * (head.levels + 1) + coder.used / 64);
  for (size_t r = 0; r <= head.levels; ++r) {
    static constexpr uint8_t kStart[14] = {0xFF, 0x90, 0, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0x93};
    const size_t at = out.size();
    out.insert(out.end(), kStart, kStart + sizeof kStart);
    append_packet(resolutions[r], out);
    const uint32_t length = static_cast<uint32_t>(out.size() - at);
    put(out.data() + at + 6, length, 4);
    out[at + 10] = static_cast<uint8_t>(r);
    out[at + 11] = static_cast<uint8_t>(head.levels + 1);
    put(out.data() + head.lengths_at + 6 * r + 2, length, 4);
  }
  out.push_back(0xFF);
  out.push_back(0xD9);
  if (4 * work.numbers.size() + work.bytes.size() > kKeptMax) work = Workspace{};
  return out;
}

}  // namespace voxcast

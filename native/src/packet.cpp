#include "packet.hpp"

#include <algorithm>

namespace voxcast {
namespace {

class Bits {  // after a byte of 0xFF one of seven bits (T.800 B.10.1)
 public:
  explicit Bits(std::vector<uint8_t>& out) : out_(out) {}

  void put(uint32_t value, unsigned count) {
    while (count-- > 0) {
      held_ = held_ << 1 | (value >> count & 1);
      if (--room_ != 0) continue;
      out_.push_back(static_cast<uint8_t>(held_));
      room_ = held_ == 0xFF ? 7 : 8;
      held_ = 0;
    }
  }
  void ones(unsigned count) {
    while (count-- > 0) put(1, 1);
  }
  void zeros(unsigned count) {
    while (count-- > 0) put(0, 1);
  }
  void end() {
    if (room_ < 8) out_.push_back(static_cast<uint8_t>(held_ << room_));
  }

 private:
  std::vector<uint8_t>& out_;
  unsigned room_ = 8, held_ = 0;
};

// T.800 B.10.2: every node the least of what is below it, said once, as much as it is above its parent.
class TagTree {
 public:
  TagTree(size_t across, size_t down, std::vector<unsigned> leaves) {
    levels_.push_back({across, std::move(leaves)});
    while (across > 1 || down > 1) {
      const size_t wide = (across + 1) / 2, high = (down + 1) / 2;
      std::vector<unsigned> nodes(wide * high, ~0u);
      // Beyond the right edge stands the next row's first node, as OpenJPH has it: as good a tree, and the same bytes.
      const std::vector<unsigned>& below = levels_.back().values;
      for (size_t y = 0; y < 2 * high; ++y) {
        for (size_t x = 0; x < 2 * wide; ++x) {
          unsigned& node = nodes[y / 2 * wide + x / 2];
          if (const size_t at = y * across + x; at < below.size()) node = std::min(node, below[at]);
        }
      }
      levels_.push_back({wide, std::move(nodes)});
      across = wide, down = high;
    }
    for (Level& one : levels_) one.is_said.assign(one.values.size(), false);
  }

  // Whether a leaf is 0; asks no further down than to the first node that is not.
  bool say_zero(size_t x, size_t y, Bits& bits) {
    for (size_t at = levels_.size(); at-- > 0;) {
      Level& level = levels_[at];
      const size_t node = (y >> at) * level.across + (x >> at);
      if (!level.is_said[node]) bits.put(level.values[node] == 0, 1);
      level.is_said[node] = true;
      if (level.values[node] != 0) return false;
    }
    return true;
  }

  void say(size_t x, size_t y, Bits& bits) {
    unsigned above = 0;
    for (size_t at = levels_.size(); at-- > 0;) {
      Level& level = levels_[at];
      const size_t node = (y >> at) * level.across + (x >> at);
      if (!level.is_said[node]) {
        bits.zeros(level.values[node] - above);
        bits.put(1, 1);
      }
      level.is_said[node] = true;
      above = level.values[node];
    }
  }

 private:
  struct Level {
    size_t across;
    std::vector<unsigned> values;
    std::vector<bool> is_said{};
  };
  std::vector<Level> levels_;
};

unsigned bits_of(size_t number) {
  unsigned count = 0;
  for (; number != 0; number >>= 1) ++count;
  return count;
}

bool is_empty(const CodedBand& band) {
  return std::all_of(band.blocks.begin(), band.blocks.end(), [](const CodedBlock& one) { return one.size == 0; });
}

void say_band(const CodedBand& band, Bits& bits) {
  std::vector<unsigned> is_out, missing;
  for (const CodedBlock& one : band.blocks) {
    is_out.push_back(one.size == 0);
    missing.push_back(one.size == 0 ? 0 : band.missing);  // as OpenJPH has it: blocks that are left out miss none
  }
  TagTree inclusion(band.across, band.down, std::move(is_out)), planes(band.across, band.down, std::move(missing));
  for (size_t y = 0; y < band.down; ++y) {
    for (size_t x = 0; x < band.across; ++x) {
      const CodedBlock& one = band.blocks[y * band.across + x];
      if (!inclusion.say_zero(x, y, bits)) continue;
      planes.say(x, y, bits);
      bits.put(0, 1);  // one pass
      const unsigned length = std::max(bits_of(one.size), 3u);  // Lblock begins at 3 (B.10.7)
      bits.ones(length - 3);
      bits.put(0, 1);
      bits.put(static_cast<uint32_t>(one.size), length);
    }
  }
}

}  // namespace

void append_packet(const std::vector<CodedBand>& bands, std::vector<uint8_t>& out) {
  if (std::all_of(bands.begin(), bands.end(), is_empty)) return out.push_back(0);
  Bits bits(out);
  bits.put(1, 1);
  for (const CodedBand& band : bands) {
    if (band.blocks.empty()) continue;
    if (is_empty(band)) bits.put(0, 1);  // the top of the tree: nothing below is included
    else say_band(band, bits);
  }
  bits.end();
  for (const CodedBand& band : bands) {
    for (const CodedBlock& one : band.blocks) out.insert(out.end(), one.bytes, one.bytes + one.size);
  }
}

}  // namespace voxcast

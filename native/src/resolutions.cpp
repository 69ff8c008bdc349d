#include "resolutions.hpp"

#include <algorithm>
#include <iterator>

#include "bad_code.hpp"
#include "code_stream.hpp"

namespace voxcast {
namespace {

constexpr size_t kTilePartsMax = 255;                // of one tile: TPsot is 0 to 254
constexpr uint64_t kPacketsMax = uint64_t(1) << 40;  // more are a lie, and sums of fewer cannot wrap

constexpr uint8_t kBoxes[] = {0, 0, 0, 12, 'j', 'P', ' ', ' '};

uint64_t up(uint64_t n, uint64_t by) { return (n + by - 1) / by; }

bool is_single_tile(const CodeStreamHeader& h) {
  return uint64_t(h.tile_x0) + h.tile_width >= h.x1 && uint64_t(h.tile_y0) + h.tile_height >= h.y1;
}

// Whether everything of a resolution comes before anything of the next: LRCP of one layer, RLCP, RPCL.
bool has_resolutions_outermost(const CodeStreamHeader& h) {
  return h.progression == 1 || h.progression == 2 || (h.progression == 0 && h.layers == 1);
}

// Packets of one resolution: layers × precincts of every component (T.800 B.6). 0: too many to be true.
uint64_t packets(const CodeStreamHeader& h, unsigned resolution) {
  const unsigned down = h.levels - resolution;
  const uint8_t sizes = h.precincts.empty() ? 0xFF : h.precincts[resolution];
  const uint64_t width = uint64_t(1) << (sizes & 15), height = uint64_t(1) << (sizes >> 4), scale = uint64_t(1) << down;
  uint64_t count = 0;
  for (const auto& c : h.components) {
    const uint64_t x0 = up(up(h.x0, c.dx), scale), x1 = up(up(h.x1, c.dx), scale);
    const uint64_t y0 = up(up(h.y0, c.dy), scale), y1 = up(up(h.y1, c.dy), scale);
    if (x1 <= x0 || y1 <= y0) continue;
    const uint64_t across = up(x1, width) - x0 / width, along = up(y1, height) - y0 / height;
    if (across > kPacketsMax / along) return 0;
    count += across * along;
    if (count > kPacketsMax) return 0;
  }
  return count * h.layers;
}

Resolutions refused(std::string reason) { return {{}, std::move(reason)}; }

// Packet lengths say exactly which packets a tile-part has: a resolution ends where a tile-part does, or not at all.
Resolutions by_packets(const CodeStreamHeader& h, const std::vector<TilePart>& parts) {
  Resolutions out;
  uint64_t have = 0, wanted = 0;
  size_t next = 0;
  for (unsigned resolution = 0; resolution <= h.levels; ++resolution) {
    const uint64_t more = packets(h, resolution);
    if (more == 0) return refused("a resolution without packets, or with more than can be");
    wanted += more;
    while (next < parts.size() && have < wanted) have += parts[next++].packet_lengths.size();
    if (have != wanted) return refused("tile-parts that do not end where resolutions do");
    out.ends.push_back(parts[next - 1].end);
  }
  return next == parts.size() ? out : refused("tile-parts behind the last resolution");
}

}  // namespace

Resolutions resolution_ends(const uint8_t* data, size_t size) {
  if (size >= sizeof kBoxes && std::equal(std::begin(kBoxes), std::end(kBoxes), data)) return refused("boxes of a JP2 file in front of the code stream");
  const CodeStreamHeader h = read_code_stream_header(data, size);
  if (!is_single_tile(h)) return refused("several tiles");
  const std::vector<TilePart> parts = read_tile_parts(data, size, h, kTilePartsMax);
  if (!has_resolutions_outermost(h)) return refused("a progression in which resolutions are not outermost");
  if (!h.is_uniform) return refused("components coded apart, or packets out of their order");
  size_t with_lengths = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    const TilePart& part = parts[i];
    if (part.tile != 0 || part.index != i || (part.count != 0 && part.count != parts.size()))
      throw BadCode("tile-part " + std::to_string(i + 1) + " of " + std::to_string(parts.size()) + " says that it is another");
    if (h.has_lengths && (h.lengths.size() != parts.size() || h.lengths[i].bytes != part.end - part.at || (h.has_tiles && h.lengths[i].tile != 0)))
      throw BadCode("TLM and the tile-parts do not agree");
    if (!part.is_plain) return refused("a tile-part that changes the order of packets");
    if (!part.has_packet_lengths) continue;
    ++with_lengths;
    uint64_t sum = 0;
    for (const uint64_t n : part.packet_lengths) sum += n;
    if (sum != part.end - part.data_at) throw BadCode("PLT and the size of tile-part " + std::to_string(i + 1) + " do not agree");
  }
  if (with_lengths == parts.size()) return by_packets(h, parts);
  // Nothing says which packets are in a tile-part, but whoever divides a single tile into as many as there are resolutions does so there.
  if (parts.size() != size_t(h.levels) + 1)
    return refused(std::to_string(parts.size()) + " tile-parts of " + std::to_string(h.levels + 1) + " resolutions");
  Resolutions out;
  for (const TilePart& part : parts) out.ends.push_back(part.end);
  return out;
}

}  // namespace voxcast

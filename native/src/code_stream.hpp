// The markers of a JPEG 2000 code stream as far as slicing wants them: main header and tile-part headers (T.800 annex A).
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace voxcast {

struct CodeStreamHeader {
  uint32_t x0 = 0, y0 = 0, x1 = 0, y1 = 0;                        // the image on the reference grid
  uint32_t tile_x0 = 0, tile_y0 = 0, tile_width = 0, tile_height = 0;
  struct Component { uint8_t dx, dy; };                           // subsampling
  std::vector<Component> components;
  uint8_t progression = 0, levels = 0;
  uint16_t layers = 1;
  std::vector<uint8_t> precincts;                                 // PPy and PPx of each resolution; empty: 15 and 15
  bool is_uniform = true;  // no COC, POC, PPM or RGN: what COD says holds for every component, and packets are where they should be
  struct Length { uint32_t tile, bytes; };
  bool has_lengths = false, has_tiles = false;                    // TLM; whether it names the tiles
  std::vector<Length> lengths;                                    // of the tile-parts, as TLM has them
  size_t tiles_at = 0;                                            // the first SOT
};

struct TilePart {
  size_t at = 0, data_at = 0, end = 0;
  uint16_t tile = 0;
  uint8_t index = 0, count = 0;             // TPsot, TNsot
  bool is_plain = true;                     // its header changes nothing of the order of packets
  bool has_packet_lengths = false;          // PLT
  std::vector<uint64_t> packet_lengths;
};

// The code stream must begin at data[0]. Throws BadCode.
CodeStreamHeader read_code_stream_header(const uint8_t* data, size_t size);
// All of them, in order, up to EOC; every one inside the data. Throws BadCode, also for more than `count_max`.
std::vector<TilePart> read_tile_parts(const uint8_t* data, size_t size, const CodeStreamHeader& header, size_t count_max);

}  // namespace voxcast

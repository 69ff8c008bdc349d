#include "code_stream.hpp"

#include <algorithm>
#include <string>

#include "bad_code.hpp"

namespace voxcast {
namespace {

enum Marker : uint16_t {
  SOC = 0xFF4F, SIZ = 0xFF51, COD = 0xFF52, COC = 0xFF53, TLM = 0xFF55, PLT = 0xFF58, RGN = 0xFF5E, POC = 0xFF5F, PPM = 0xFF60,
  PPT = 0xFF61, SOT = 0xFF90, SOD = 0xFF93, EOC = 0xFFD9
};

class Reader {  // big endian; never beyond its end
 public:
  Reader(const uint8_t* data, size_t at, size_t end) : data_(data), at_(at), end_(end) {}
  size_t at() const { return at_; }
  size_t left() const { return end_ - at_; }
  uint32_t u8() { return number(1); }
  uint32_t u16() { return number(2); }
  uint32_t u32() { return number(4); }
  uint32_t number(unsigned bytes) {
    if (left() < bytes) throw BadCode("a marker segment of the code stream ends before it should, at byte " + std::to_string(end_));
    uint32_t v = 0;
    while (bytes-- > 0) v = v << 8 | data_[at_++];
    return v;
  }
  // The body of a marker segment, behind its marker; this reader goes on behind it.
  Reader segment() {
    const size_t begin = at_;
    const uint32_t length = u16();
    if (length < 2 || length > end_ - begin)
      throw BadCode("a marker segment of " + std::to_string(length) + " bytes at byte " + std::to_string(begin) + " of the code stream");
    const Reader body(data_, at_, begin + length);
    at_ = begin + length;
    return body;
  }

 private:
  const uint8_t* data_;
  size_t at_, end_;
};

void read_siz(Reader r, CodeStreamHeader& h) {
  r.u16();  // capabilities
  h.x1 = r.u32(), h.y1 = r.u32(), h.x0 = r.u32(), h.y0 = r.u32();
  h.tile_width = r.u32(), h.tile_height = r.u32(), h.tile_x0 = r.u32(), h.tile_y0 = r.u32();
  const uint32_t count = r.u16();
  if (h.x1 <= h.x0 || h.y1 <= h.y0) throw BadCode("an image of no size in SIZ");
  if (h.tile_width == 0 || h.tile_height == 0 || h.tile_x0 > h.x0 || h.tile_y0 > h.y0 || uint64_t(h.tile_x0) + h.tile_width <= h.x0 ||
      uint64_t(h.tile_y0) + h.tile_height <= h.y0)
    throw BadCode("tiles that do not cover the image");
  if (count == 0 || r.left() < 3 * size_t(count)) throw BadCode("no components in SIZ");
  h.components.clear();
  h.components.reserve(count);
  for (uint32_t i = 0; i < count; ++i) {
    r.u8();  // depth and sign
    const auto dx = static_cast<uint8_t>(r.u8()), dy = static_cast<uint8_t>(r.u8());
    if (dx == 0 || dy == 0) throw BadCode("components without samples in SIZ");
    h.components.push_back({dx, dy});
  }
}

void read_cod(Reader r, CodeStreamHeader& h) {
  const uint32_t style = r.u8();
  h.progression = static_cast<uint8_t>(r.u8());
  h.layers = static_cast<uint16_t>(r.u16());
  r.u8();  // multiple component transform
  h.levels = static_cast<uint8_t>(r.u8());
  for (int i = 0; i < 4; ++i) r.u8();  // code-blocks, their style, wavelet
  if (h.progression > 4 || h.layers == 0 || h.levels > 32) throw BadCode("COD says what T.800 does not define");
  h.precincts.clear();
  if ((style & 1) != 0)
    for (unsigned i = 0; i <= h.levels; ++i) h.precincts.push_back(static_cast<uint8_t>(r.u8()));
}

void read_tlm(Reader r, CodeStreamHeader& h) {
  r.u8();  // index of the segment: they come in order
  const uint32_t style = r.u8();
  const unsigned tile_bytes = style >> 4 & 3, length_bytes = (style & 0x40) != 0 ? 4 : 2;
  if (tile_bytes == 3) throw BadCode("TLM says what T.800 does not define");
  h.has_lengths = true, h.has_tiles = tile_bytes > 0;
  while (r.left() >= tile_bytes + length_bytes) {
    const uint32_t tile = r.number(tile_bytes);
    h.lengths.push_back({tile, r.number(length_bytes)});
  }
  if (r.left() != 0) throw BadCode("half an entry in TLM");
}

// Packet lengths are of seven bits a byte, the highest bit says that more follow (A.7.3); they may go on in the next PLT.
void read_plt(Reader r, TilePart& part, uint64_t& begun, bool& is_within) {
  r.u8();  // index of the segment
  part.has_packet_lengths = true;
  while (r.left() > 0) {
    const uint32_t b = r.u8();
    if (begun >> 32 != 0) throw BadCode("a packet of more than 4 GiB in PLT");
    begun = begun << 7 | (b & 0x7F);
    is_within = (b & 0x80) != 0;
    if (!is_within) part.packet_lengths.push_back(begun), begun = 0;
  }
}

void read_tile_part_header(const uint8_t* data, TilePart& part) {
  Reader r(data, part.at + 12, part.end);
  uint64_t begun = 0;
  bool is_within = false;
  for (;;) {
    const uint32_t marker = r.u16();
    if (marker == SOD) break;
    if (marker < 0xFF00) throw BadCode("no marker at byte " + std::to_string(r.at() - 2) + " of the code stream");
    const Reader body = r.segment();
    if (marker == PLT) read_plt(body, part, begun, is_within);
    part.is_plain = part.is_plain && marker != COD && marker != COC && marker != RGN && marker != POC && marker != PPT;
  }
  if (is_within) throw BadCode("half an entry in PLT");
  part.data_at = r.at();
}

}  // namespace

CodeStreamHeader read_code_stream_header(const uint8_t* data, size_t size) {
  CodeStreamHeader h;
  Reader r(data, 0, size);
  if (size < 4 || r.u16() != SOC || r.u16() != SIZ) throw BadCode("no JPEG 2000 SIZ marker segment at the start");
  read_siz(r.segment(), h);
  bool has_cod = false;
  for (;;) {
    const size_t at = r.at();
    const uint32_t marker = r.u16();
    if (marker == SOT) {
      h.tiles_at = at;
      break;
    }
    if (marker < 0xFF00) throw BadCode("no marker at byte " + std::to_string(at) + " of the code stream");
    const Reader body = r.segment();
    switch (marker) {
      case COD: read_cod(body, h), has_cod = true; break;
      case TLM: read_tlm(body, h); break;
      case COC: case RGN: case POC: case PPM: h.is_uniform = false; break;
      default: break;
    }
  }
  if (!has_cod) throw BadCode("no COD marker segment in the main header");
  return h;
}

std::vector<TilePart> read_tile_parts(const uint8_t* data, size_t size, const CodeStreamHeader& header, size_t count_max) {
  std::vector<TilePart> parts;
  size_t at = header.tiles_at;
  while (at < size) {
    Reader r(data, at, size);
    const uint32_t marker = r.u16();
    if (marker == EOC) break;
    if (marker != SOT) {
      if (!parts.empty() && at + 32 >= size) break;  // padding, or a rest that nobody reads
      throw BadCode("something else than a tile-part at byte " + std::to_string(at));
    }
    if (r.u16() != 10) throw BadCode("an SOT marker segment of another size at byte " + std::to_string(at));
    TilePart part;
    part.at = at;
    part.tile = static_cast<uint16_t>(r.u16());
    const uint32_t length = r.u32();
    part.index = static_cast<uint8_t>(r.u8()), part.count = static_cast<uint8_t>(r.u8());
    if (length == 0) {  // the last one: up to EOC
      part.end = size;
      while (part.end > at + 16 && data[part.end - 1] == 0) --part.end;
      if (part.end < at + 16 || data[part.end - 2] != 0xFF || data[part.end - 1] != 0xD9) throw BadCode("the last tile-part has no end");
      part.end -= 2;
    } else {
      if (length < 14 || length > size - at)
        throw BadCode("a tile-part of " + std::to_string(length) + " bytes where " + std::to_string(size - at) + " are left");
      part.end = at + length;
    }
    if (parts.size() == count_max) throw BadCode("more than " + std::to_string(count_max) + " tile-parts");
    read_tile_part_header(data, part);
    at = part.end;
    parts.push_back(std::move(part));
    if (length == 0) break;
  }
  if (parts.empty()) throw BadCode("no tile-part");
  return parts;
}

}  // namespace voxcast

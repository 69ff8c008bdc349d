// Fuzz target of RLE: decode against a plain twin, and what was decoded, or any bytes at all, encoded and decoded again.
//
// Input: rows (up to 63: more than one tile of the decoder, and still quick), columns, a byte of sample count, bytes a sample and planar or not, then the code stream.
#include <algorithm>
#include <cstring>
#include <vector>

#include "bad_code.hpp"
#include "fuzz.hpp"
#include "rle.hpp"

using namespace voxcast;

namespace {

using Bytes = std::vector<uint8_t>;

// Annex G byte by byte; empty where it is refused.
Bytes twin(const uint8_t* data, size_t size, const RleLayout& l) {
  const auto at32 = [&](size_t at) { return size_t(data[at]) | size_t(data[at + 1]) << 8 | size_t(data[at + 2]) << 16 | size_t(data[at + 3]) << 24; };
  const unsigned count = l.planes();
  if (size < 64 || at32(0) != count) return {};
  Bytes out(l.bytes());
  for (unsigned s = 0; s < count; ++s)
    if (at32(4 + 4 * s) < 64 || at32(4 + 4 * s) > size) return {};
  for (unsigned s = 0; s < count; ++s) {
    const size_t start = at32(4 + 4 * s);
    size_t end = size;
    for (unsigned o = 0; o < count; ++o)
      if (at32(4 + 4 * o) > start) end = std::min(end, at32(4 + 4 * o));
    Bytes plane;
    for (size_t at = start; at < end;) {
      const unsigned c = data[at++];
      if (c < 128)
        for (unsigned n = c + 1; n > 0 && at < end; --n) plane.push_back(data[at++]);
      else if (c > 128 && at < end)
        plane.insert(plane.end(), 257 - c, data[at]), ++at;
    }
    if (plane.size() < l.pixels()) return {};
    const unsigned sample = s / l.item_bytes, byte = l.item_bytes - 1 - s % l.item_bytes;
    for (size_t i = 0; i < l.pixels(); ++i)
      out[l.is_planar ? (sample * l.pixels() + i) * l.item_bytes + byte : i * count + sample * l.item_bytes + byte] = plane[i];
  }
  return out;
}

void encode_and_back(const Bytes& pixels, const RleLayout& l) {
  Bytes code(rle_bound(l));
  code.resize(rle_encode(pixels.data(), l, code.data()));
  if (code.size() % 2 != 0) wrong("an odd code stream");
  const Bytes exact(code);
  Bytes back(pixels.size());
  rle_decode(exact.data(), exact.size(), l, back.data());
  if (back != pixels) wrong("what was encoded does not come back");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 3) return 0;
  RleLayout l{data[0] % 64u, data[1] * uint64_t(data[2] % 2 == 0 ? 1 : 7), 1u + (data[2] >> 1) % 4, 1u << (data[2] >> 3) % 4, (data[2] & 0x20) != 0};
  if (l.planes() > 15) l.item_bytes = 1;
  data += 3, size -= 3;
  Bytes out(l.bytes(), 0xA5);
  bool is_decoded = true;
  try {
    rle_decode(data, size, l, out.data());
  } catch (const BadCode&) {
    is_decoded = false;
  }
  const Bytes other = twin(data, size, l);
  if (l.bytes() > 0 && is_decoded != !other.empty()) wrong("one decoder takes what the other refuses");
  if (is_decoded && l.bytes() > 0) {
    if (out != other) wrong("two decoders do not agree");
    encode_and_back(out, l);
  }
  for (size_t i = 0; i < out.size() && size > 0; ++i) out[i] = data[i % size];
  encode_and_back(out, l);
  return 0;
}

#include "ht_codes.hpp"

namespace voxcast {
namespace {

struct VlcEntry {
  uint8_t context, rho, has_excess, known, ones, codeword, length;  // E^k and E^1 by sample
};

#include "ht_vlc_data.inc"

unsigned ones_of(unsigned bits) {
  unsigned count = 0;
  for (; bits != 0; bits &= bits - 1) ++count;
  return count;
}

// Of the codewords that fit the quad the one that spares most bits of magnitudes.
template <size_t count>
void fill(const VlcEntry (&entries)[count], uint16_t* out) {
  for (unsigned at = 0; at < 2048; ++at) {
    const unsigned context = at >> 8, rho = at >> 4 & 15, eps = at & 15;
    out[at] = 0;
    if ((eps & ~rho) != 0) continue;  // the largest exponent is of a significant sample
    int best = -1;
    for (const VlcEntry& one : entries) {
      if (one.context != context || one.rho != rho || one.has_excess != (eps != 0)) continue;
      if (eps != 0 && (eps & one.known) != one.ones) continue;
      const int spared = eps != 0 ? static_cast<int>(ones_of(one.known)) : 0;
      if (spared < best) continue;
      best = spared;
      out[at] = static_cast<uint16_t>(one.codeword << 8 | one.length << 4 | one.known);
    }
  }
}

struct Excess {
  unsigned prefix, prefix_bits, suffix, suffix_bits;
};

Excess excess_code(unsigned u) {  // T.814 table 3
  if (u <= 2) return {u, u, 0, 0};
  if (u <= 4) return {4, 3, u - 3, 1};
  return {0, 3, u - 5, 5};
}

uint32_t joined(const Excess& left, const Excess& right) {
  uint32_t bits = 0, length = 0;
  const auto add = [&](unsigned value, unsigned count) {
    bits |= value << length;
    length += count;
  };
  add(left.prefix, left.prefix_bits);
  add(right.prefix, right.prefix_bits);
  add(left.suffix, left.suffix_bits);
  add(right.suffix, right.suffix_bits);
  return bits << 8 | length;
}

HtCodes made() {
  HtCodes out;
  fill(kFirstRow, out.first_row);
  fill(kOtherRows, out.other_rows);
  for (unsigned left = 0; left < kExcessCount; ++left) {
    for (unsigned right = 0; right < kExcessCount; ++right) {
      const unsigned at = left * kExcessCount + right;
      out.excess[at] = joined(excess_code(left), excess_code(right));
      if (left > 2 && right > 2) {  // MEL has said that both are
        out.first_row_excess[at] = joined(excess_code(left - 2), excess_code(right - 2));
      } else if (left > 2 && right > 0) {  // MEL has said that one is 1 or 2, so one bit tells which
        out.first_row_excess[at] = joined(excess_code(left), {right - 1, 1, 0, 0});
      } else {
        out.first_row_excess[at] = out.excess[at];
      }
    }
  }
  return out;
}

}  // namespace

const HtCodes& ht_codes() {
  static const HtCodes codes = made();
  return codes;
}

}  // namespace voxcast

// The variable length codes of the cleanup pass (T.814 annex C and 7.3.6), as an encoder looks them up.
#pragma once
#include <cstddef>
#include <cstdint>

namespace voxcast {

constexpr unsigned kExcessCount = 32;  // u_q of a quad, that which its exponent bound exceeds the predicted one by

// [context << 8 | rho << 4 | eps]: codeword << 8 | its length << 4 | E^k. For eps 0 the entry without an excess.
struct HtCodes {
  uint16_t first_row[2048], other_rows[2048];
  // Both excesses of a pair of quads, [u of the left << 5 | u of the right]: bits << 8 | their number, at most 16.
  uint32_t first_row_excess[kExcessCount * kExcessCount], excess[kExcessCount * kExcessCount];
};

const HtCodes& ht_codes();

}  // namespace voxcast

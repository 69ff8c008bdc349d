#include "ht_block.hpp"

#include <cstring>

#include "bad_code.hpp"
#include "ht_codes.hpp"
#include "ht_streams.hpp"
#include "wide.hpp"

#pragma GCC diagnostic ignored "-Wpsabi"  // vectors go only to functions that are always inline

// Vectors as GCC and Clang both have them, so that one text serves every processor; 16 quads of 2 x 2 samples go together.
// Where the time goes otherwise: 2.6 ms for 512 x 512 in OpenJPH 0.26.3, which writes magnitudes sample by sample and byte by byte.

namespace voxcast {
namespace {

typedef int32_t Ints __attribute__((vector_size(64)));
typedef uint32_t Words __attribute__((vector_size(64)));
typedef float Floats __attribute__((vector_size(64)));

constexpr size_t kLanes = 16, kQuads = kBlockSide / 2;
static_assert(kBlockColumns == 2 * kLanes && sizeof(Ints) == 4 * kLanes);

struct Row {  // of quads
  alignas(64) int32_t rho[kQuads], index[kQuads], bound[kQuads], excess[kQuads], code[kQuads];
  // For the next row, by a quad's left edge: the largest exponent just above, and whether anything is significant there.
  alignas(64) int32_t above[kQuads + kLanes] = {}, is_above[kQuads + kLanes] = {};
  alignas(64) uint32_t value[4][kQuads];             // 2 (magnitude - 1) + sign
  alignas(64) uint64_t left[kQuads], right[kQuads];  // the bits of a quad's two columns
  alignas(64) int32_t left_bits[kQuads], right_bits[kQuads];
};

VOXCAST_INLINE Ints load(const int32_t* at) {
  Ints out;
  std::memcpy(&out, at, sizeof out);
  return out;
}

template <typename To, typename Vector>
VOXCAST_INLINE void store(To* at, const Vector& v) {
  static_assert(sizeof(Vector) == 64);
  std::memcpy(at, &v, sizeof v);
}

#define VOXCAST_MAX(a, b) ((a) > (b) ? (a) : (b))

struct Samples {
  Ints exponent, is_significant;
  Words value;
};

// Exponents by way of floating point, which has 24 bits for numbers of 19: E = the bits of 2 magnitude - 1.
VOXCAST_INLINE void look(const Ints& c, Samples& out) {
  const Ints sign = c >> 31, twice = ((c ^ sign) - sign) * 2;
  out.is_significant = c != 0;
  out.value = (Words)((twice - 2 - sign) & out.is_significant);
  const Floats odd = __builtin_convertvector(twice - 1, Floats);
  Ints bits;
  std::memcpy(&bits, &odd, sizeof bits);
  out.exponent = ((bits >> 23) - 126) & out.is_significant;
}

#define VOXCAST_EVEN(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30)
#define VOXCAST_ODD(a, b) __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31)
// The last of a and all but the last of b; all but the first of a and the first of b. From memory they would wait for what was just stored.
#define VOXCAST_BEFORE(a, b) __builtin_shufflevector(a, b, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30)
#define VOXCAST_BEHIND(a, b) __builtin_shufflevector(a, b, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)

// Significance, exponents and their bounds of a row of quads, and where its codewords stand in the table.
template <bool is_first>
VOXCAST_INLINE void bound(const int32_t* upper, const int32_t* lower, size_t groups, Row& row) {
  Ints last_rho = {}, last_exponent = {};
  for (size_t g = 0; g < groups; ++g) {
    const size_t at = g * kLanes;
    const Ints u0 = load(upper + 2 * at), u1 = load(upper + 2 * at + kLanes), l0 = load(lower + 2 * at), l1 = load(lower + 2 * at + kLanes);
    Samples s0, s1, s2, s3;
    look(VOXCAST_EVEN(u0, u1), s0);
    look(VOXCAST_EVEN(l0, l1), s1);
    look(VOXCAST_ODD(u0, u1), s2);
    look(VOXCAST_ODD(l0, l1), s3);
    store(row.value[0] + at, s0.value);
    store(row.value[1] + at, s1.value);
    store(row.value[2] + at, s2.value);
    store(row.value[3] + at, s3.value);
    const Ints rho = (s0.is_significant & 1) | (s1.is_significant & 2) | (s2.is_significant & 4) | (s3.is_significant & 8);
    const Ints top01 = VOXCAST_MAX(s0.exponent, s1.exponent), top23 = VOXCAST_MAX(s2.exponent, s3.exponent);
    const Ints top = VOXCAST_MAX(top01, top23);
    const Ints before = VOXCAST_BEFORE(last_rho, rho);
    Ints context, kappa = top - top + 1;
    if (is_first) {
      context = (before >> 1) | (before & 1);
    } else {
      const Ints is_left = load(row.is_above + at), is_next = load(row.is_above + at + kLanes), is_right = VOXCAST_BEHIND(is_left, is_next);
      context = is_left | is_right << 2 | (before >> 1 & 2) | (before >> 2 & 2);
      const Ints left = load(row.above + at), next = load(row.above + at + kLanes), right = VOXCAST_BEHIND(left, next);
      const Ints near = VOXCAST_MAX(left, right) - 1, at_least = VOXCAST_MAX(near, kappa);
      kappa = (rho & (rho - 1)) != 0 ? at_least : kappa;
    }
    const Ints most = VOXCAST_MAX(top, kappa), excess = most - kappa;
    const Ints eps = (((s0.exponent == top) & 1) | ((s1.exponent == top) & 2) | ((s2.exponent == top) & 4) | ((s3.exponent == top) & 8)) & (excess > 0);
    store(row.rho + at, rho);
    store(row.index + at, context << 8 | rho << 4 | eps);
    store(row.bound + at, most);
    store(row.excess + at, excess);
    const Ints left_3 = VOXCAST_BEFORE(last_exponent, s3.exponent), edge = VOXCAST_MAX(s1.exponent, left_3);
    store(row.above + at, edge);  // nobody asks for the row above once more
    store(row.is_above + at, (edge > 0) & 1);
    last_rho = rho;
    last_exponent = s3.exponent;
  }
  const size_t end = groups * kLanes;  // the right edge of the last quad
  row.above[end] = last_exponent[kLanes - 1];
  row.is_above[end] = last_exponent[kLanes - 1] > 0;
}

// The bits of magnitudes and signs, a quad's two columns each in one word.
template <bool is_small>
VOXCAST_INLINE void magnitudes(size_t groups, Row& row) {
  for (size_t g = 0; g < groups; ++g) {
    const size_t at = g * kLanes;
    const Ints rho = load(row.rho + at), most = load(row.bound + at), code = load(row.code + at);
#define VOXCAST_WIDTH(n) ((most - (code >> n & 1)) & -(rho >> n & 1))
    const Ints m0 = VOXCAST_WIDTH(0), m1 = VOXCAST_WIDTH(1), m2 = VOXCAST_WIDTH(2), m3 = VOXCAST_WIDTH(3);
    Words v0, v1, v2, v3;
    std::memcpy(&v0, row.value[0] + at, sizeof v0);
    std::memcpy(&v1, row.value[1] + at, sizeof v1);
    std::memcpy(&v2, row.value[2] + at, sizeof v2);
    std::memcpy(&v3, row.value[3] + at, sizeof v3);
    const Words one = v0 - v0 + 1;
#define VOXCAST_LOW(v, m) ((v) & ((one << (Words)(m)) - 1))
    v0 = VOXCAST_LOW(v0, m0);
    v1 = VOXCAST_LOW(v1, m1);
    v2 = VOXCAST_LOW(v2, m2);
    v3 = VOXCAST_LOW(v3, m3);
    store(row.left_bits + at, m0 + m1);
    store(row.right_bits + at, m2 + m3);
    if (is_small) {  // at most 16 bits each
      const Words left = v0 | v1 << (Words)m0, right = v2 | v3 << (Words)m2;
      alignas(64) uint32_t lefts[kLanes], rights[kLanes];
      store(lefts, left);
      store(rights, right);
      for (size_t i = 0; i < kLanes; ++i) row.left[at + i] = lefts[i];
      for (size_t i = 0; i < kLanes; ++i) row.right[at + i] = rights[i];
    } else {
      alignas(64) uint32_t parts[4][kLanes], shifts[2][kLanes];
      store(parts[0], v0);
      store(parts[1], v1);
      store(parts[2], v2);
      store(parts[3], v3);
      store(shifts[0], m0);
      store(shifts[1], m2);
      for (size_t i = 0; i < kLanes; ++i) row.left[at + i] = parts[0][i] | uint64_t(parts[1][i]) << shifts[0][i];
      for (size_t i = 0; i < kLanes; ++i) row.right[at + i] = parts[2][i] | uint64_t(parts[3][i]) << shifts[1][i];
    }
  }
}

// Codewords and excesses of a row; MEL tells of quads about which nothing significant stands, in the first row also of excesses.
template <bool is_first>
VOXCAST_INLINE void codewords(const HtCodes& codes, size_t quads, Row& row, VlcWriter& vlc, MelWriter& mel) {
  const uint16_t* const table = is_first ? codes.first_row : codes.other_rows;
  const uint32_t* const excesses = is_first ? codes.first_row_excess : codes.excess;
  for (size_t q = 0; q < quads; q += 2) {
    const bool is_pair = q + 1 < quads;
    const uint32_t index0 = static_cast<uint32_t>(row.index[q]), index1 = static_cast<uint32_t>(row.index[q + 1]);
    const uint32_t code0 = table[index0], code1 = is_pair ? table[index1] : 0;
    row.code[q] = static_cast<int32_t>(code0);
    row.code[q + 1] = static_cast<int32_t>(code1);
    const uint32_t excess0 = static_cast<uint32_t>(row.excess[q]), excess1 = is_pair ? static_cast<uint32_t>(row.excess[q + 1]) : 0;
    if ((index0 < 256) | (index1 < 256)) {
      if (index0 < 256) mel.event(index0 >= 16);
      if (is_pair && index1 < 256) mel.event(index1 >= 16);
    }
    if (is_first && excess0 > 0 && excess1 > 0) mel.event(excess0 > 2 && excess1 > 2);
    const uint32_t both = excesses[excess0 * kExcessCount + excess1];
    const unsigned length0 = code0 >> 4 & 7, length1 = code1 >> 4 & 7;
    vlc.put(code0 >> 8 | code1 >> 8 << length0 | both >> 8 << (length0 + length1), length0 + length1 + (both & 0xFF));
  }
}

template <bool is_small>
VOXCAST_INLINE size_t coded(const int32_t* c, size_t stride, size_t width, size_t height, uint8_t* out) {
  static constexpr int32_t kNothing[kBlockSide] = {};
  const HtCodes& codes = ht_codes();
  const size_t quads = (width + 1) / 2, groups = (quads + kLanes - 1) / kLanes;
  Row row;
  MelWriter mel;
  VlcWriter vlc;
  MagSgnWriter signs(out);
  for (size_t y = 0; y < height; y += 2) {
    const int32_t* const upper = c + y * stride;
    const int32_t* const lower = y + 1 < height ? upper + stride : kNothing;
    if (y == 0) {
      bound<true>(upper, lower, groups, row);
      codewords<true>(codes, quads, row, vlc, mel);
    } else {
      bound<false>(upper, lower, groups, row);
      codewords<false>(codes, quads, row, vlc, mel);
    }
    magnitudes<is_small>(groups, row);
    for (size_t q = 0; q < quads; ++q) {
      const unsigned left = static_cast<unsigned>(row.left_bits[q]), right = static_cast<unsigned>(row.right_bits[q]);
      if (__builtin_expect(left + right <= 56, 1)) {
        signs.put(row.left[q] | row.right[q] << left, left + right);
      } else {
        signs.put(row.left[q], left);
        signs.put(row.right[q], right);
      }
    }
  }
  end(mel, vlc);
  signs.end();
  const size_t tail = mel.size + vlc.size();
  if (tail > 4079) throw BadCode("a block of more bytes than its header can say");
  std::memcpy(signs.at, mel.bytes, mel.size);
  std::memcpy(signs.at + mel.size, vlc.at, vlc.size());
  const size_t size = static_cast<size_t>(signs.at - out) + tail;
  out[size - 1] = static_cast<uint8_t>(tail >> 4);
  out[size - 2] = static_cast<uint8_t>((out[size - 2] & 0xF0) | (tail & 15));
  return size;
}

VOXCAST_INLINE size_t block(const int32_t* c, size_t stride, size_t width, size_t height, uint8_t* out) {
  const size_t wide = (width + kBlockColumns - 1) / kBlockColumns * kBlockColumns;
  uint32_t any = 0;
  for (size_t y = 0; y < height; ++y) {
    for (size_t x = 0; x < wide; ++x) any |= static_cast<uint32_t>(c[y * stride + x] ^ c[y * stride + x] >> 31);
  }
  if (any == 0) {  // all are 0 or -1
    uint32_t has_any = 0;
    for (size_t y = 0; y < height; ++y) {
      for (size_t x = 0; x < wide; ++x) has_any |= static_cast<uint32_t>(c[y * stride + x]);
    }
    if (has_any == 0) return 0;
  }
  if (any > static_cast<uint32_t>(kCoefficientMax)) throw BadCode("a coefficient that no image of 16 bits has");
  return any < 1u << 15 ? coded<true>(c, stride, width, height, out) : coded<false>(c, stride, width, height, out);
}

size_t block_plain(const int32_t* c, size_t stride, size_t width, size_t height, uint8_t* out) { return block(c, stride, width, height, out); }

#if VOXCAST_HAS_WIDE
#define VOXCAST_BITS "bmi,bmi2,lzcnt"
__attribute__((target("avx2," VOXCAST_BITS))) size_t block_wide(const int32_t* c, size_t stride, size_t width, size_t height, uint8_t* out) {
  return block(c, stride, width, height, out);
}

__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl," VOXCAST_BITS))) size_t block_widest(const int32_t* c, size_t stride, size_t width, size_t height, uint8_t* out) {
  return block(c, stride, width, height, out);
}
#endif

std::vector<HtBlock> found() {
  std::vector<HtBlock> out{block_plain};
#if VOXCAST_HAS_WIDE
  if (is_wide() && __builtin_cpu_supports("bmi2")) {
    out.insert(out.begin(), block_wide);
    if (is_widest()) out.insert(out.begin(), block_widest);
  }
#endif
  return out;
}

}  // namespace

const std::vector<HtBlock>& ht_blocks() {
  static const std::vector<HtBlock> all = found();
  return all;
}

size_t ht_block(const int32_t* coefficients, size_t stride, size_t width, size_t height, uint8_t* out) {
  static const HtBlock quickest = ht_blocks().front();
  return quickest(coefficients, stride, width, height, out);
}

}  // namespace voxcast

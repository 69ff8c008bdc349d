#include "jpeg_blocks.hpp"

#if defined(__x86_64__) && defined(__GNUC__)
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wuninitialized"  // gcc 12 says it of its own header: what is undefined there is masked away
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>

#include <cstring>

#define VOXCAST_512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,bmi,bmi2,lzcnt")))
#define VOXCAST_512_INLINE VOXCAST_512 static inline

namespace voxcast {
namespace {

// Four blocks beside each other: register r holds row r of each, block j in its 128-bit lane j.
struct Rows {
  __m512i row[8];
};

VOXCAST_512_INLINE void transpose(Rows& a) {
  __m512i b[8], c[8];
  for (int i = 0; i < 4; ++i) {
    b[2 * i] = _mm512_unpacklo_epi16(a.row[2 * i], a.row[2 * i + 1]);
    b[2 * i + 1] = _mm512_unpackhi_epi16(a.row[2 * i], a.row[2 * i + 1]);
  }
  for (int half = 0; half < 2; ++half) {
    const int at = 4 * half;
    c[at] = _mm512_unpacklo_epi32(b[at], b[at + 2]);
    c[at + 1] = _mm512_unpackhi_epi32(b[at], b[at + 2]);
    c[at + 2] = _mm512_unpacklo_epi32(b[at + 1], b[at + 3]);
    c[at + 3] = _mm512_unpackhi_epi32(b[at + 1], b[at + 3]);
  }
  for (int i = 0; i < 4; ++i) {
    a.row[2 * i] = _mm512_unpacklo_epi64(c[i], c[i + 4]);
    a.row[2 * i + 1] = _mm512_unpackhi_epi64(c[i], c[i + 4]);
  }
}

// Two weights for each pair of words, as pmaddwd takes them.
VOXCAST_512_INLINE __m512i weights(int first, int second) {
  return _mm512_set1_epi32(static_cast<int>((static_cast<uint32_t>(second) << 16) | (static_cast<uint32_t>(first) & 0xFFFF)));
}

// a * first + b * second in 32 bits, rounded and shifted down, back in words.
template <int kShift>
VOXCAST_512_INLINE __m512i turned(__m512i low, __m512i high, __m512i weight) {
  const __m512i half = _mm512_set1_epi32(1 << (kShift - 1));
  const __m512i l = _mm512_srai_epi32(_mm512_add_epi32(_mm512_madd_epi16(low, weight), half), kShift);
  const __m512i h = _mm512_srai_epi32(_mm512_add_epi32(_mm512_madd_epi16(high, weight), half), kShift);
  return _mm512_packs_epi32(l, h);
}

template <int kShift>
VOXCAST_512_INLINE __m512i turned2(__m512i low, __m512i high, __m512i w, __m512i low2, __m512i high2, __m512i w2) {
  const __m512i half = _mm512_set1_epi32(1 << (kShift - 1));
  const __m512i l = _mm512_add_epi32(_mm512_madd_epi16(low, w), _mm512_madd_epi16(low2, w2));
  const __m512i h = _mm512_add_epi32(_mm512_madd_epi16(high, w), _mm512_madd_epi16(high2, w2));
  return _mm512_packs_epi32(_mm512_srai_epi32(_mm512_add_epi32(l, half), kShift), _mm512_srai_epi32(_mm512_add_epi32(h, half), kShift));
}

// Loeffler, Ligtenberg and Moschytz with 13 bits of fraction, as jfdctint.c has it: sums of products are the same in any order.
constexpr int k0298 = 2446, k0390 = 3196, k0541 = 4433, k0765 = 6270, k0899 = 7373, k1175 = 9633;
constexpr int k1501 = 12299, k1847 = 15137, k1961 = 16069, k2053 = 16819, k2562 = 20995, k3072 = 25172;

template <bool kIsFirst>
VOXCAST_512_INLINE void transform(Rows& a) {
  constexpr int kShift = kIsFirst ? 11 : 15;  // 2 bits of fraction stay between the passes
  const __m512i t0 = _mm512_add_epi16(a.row[0], a.row[7]), t7 = _mm512_sub_epi16(a.row[0], a.row[7]);
  const __m512i t1 = _mm512_add_epi16(a.row[1], a.row[6]), t6 = _mm512_sub_epi16(a.row[1], a.row[6]);
  const __m512i t2 = _mm512_add_epi16(a.row[2], a.row[5]), t5 = _mm512_sub_epi16(a.row[2], a.row[5]);
  const __m512i t3 = _mm512_add_epi16(a.row[3], a.row[4]), t4 = _mm512_sub_epi16(a.row[3], a.row[4]);

  const __m512i t10 = _mm512_add_epi16(t0, t3), t13 = _mm512_sub_epi16(t0, t3);
  const __m512i t11 = _mm512_add_epi16(t1, t2), t12 = _mm512_sub_epi16(t1, t2);
  const __m512i sum = _mm512_add_epi16(t10, t11), difference = _mm512_sub_epi16(t10, t11);
  if constexpr (kIsFirst) {
    a.row[0] = _mm512_slli_epi16(sum, 2);
    a.row[4] = _mm512_slli_epi16(difference, 2);
  } else {
    const __m512i half = _mm512_set1_epi16(2);
    a.row[0] = _mm512_srai_epi16(_mm512_add_epi16(sum, half), 2);
    a.row[4] = _mm512_srai_epi16(_mm512_add_epi16(difference, half), 2);
  }
  const __m512i el = _mm512_unpacklo_epi16(t12, t13), eh = _mm512_unpackhi_epi16(t12, t13);
  a.row[2] = turned<kShift>(el, eh, weights(k0541, k0541 + k0765));
  a.row[6] = turned<kShift>(el, eh, weights(k0541 - k1847, k0541));

  // z3 = t4 + t6, z4 = t5 + t7, z5 = (z3 + z4) * 1.175875602, multiplied out.
  const __m512i z3 = _mm512_add_epi16(t4, t6), z4 = _mm512_add_epi16(t5, t7);
  const __m512i zl = _mm512_unpacklo_epi16(z3, z4), zh = _mm512_unpackhi_epi16(z3, z4);
  const __m512i w3 = weights(k1175 - k1961, k1175), w4 = weights(k1175, k1175 - k0390);
  const __m512i l47 = _mm512_unpacklo_epi16(t4, t7), h47 = _mm512_unpackhi_epi16(t4, t7);
  const __m512i l56 = _mm512_unpacklo_epi16(t5, t6), h56 = _mm512_unpackhi_epi16(t5, t6);
  a.row[7] = turned2<kShift>(l47, h47, weights(k0298 - k0899, -k0899), zl, zh, w3);
  a.row[5] = turned2<kShift>(l56, h56, weights(k2053 - k2562, -k2562), zl, zh, w4);
  a.row[3] = turned2<kShift>(l56, h56, weights(-k2562, k3072 - k2562), zl, zh, w3);
  a.row[1] = turned2<kShift>(l47, h47, weights(-k0899, k1501 - k0899), zl, zh, w4);
}

// Divided by 8 * step, to the nearest, halves away from zero: the magnitude by multiplying, as exact as dividing.
VOXCAST_512_INLINE __m512i divided(__m512i value, const JpegCodes& codes, int row) {
  const auto of = [row](const uint16_t* table) VOXCAST_512 {
    return _mm512_broadcast_i32x4(_mm_load_si128(reinterpret_cast<const __m128i*>(table + 8 * row)));
  };
  __m512i size = _mm512_add_epi16(_mm512_abs_epi16(value), of(codes.correction));
  size = _mm512_mulhi_epu16(_mm512_mulhi_epu16(size, of(codes.reciprocal)), of(codes.scale));
  return _mm512_mask_sub_epi16(size, _mm512_movepi16_mask(value), _mm512_setzero_si512(), size);
}

alignas(64) constexpr uint16_t kZigzag[64] = {
    0,  1,  8,  16, 9,  2,  3,  10, 17, 24, 32, 25, 18, 11, 4,  5,  12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6,  7,  14, 21, 28,
    35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
};

struct Block {
  alignas(64) int16_t value[64];  // in zigzag order
  uint64_t is_there;              // a bit for each that is not zero
};

// Greys less 128, in words.
VOXCAST_512_INLINE __m512i shifted(__m512i greys) { return _mm512_sub_epi16(greys, _mm512_set1_epi16(128)); }

VOXCAST_512_INLINE void load(const uint8_t* pixels, size_t stride, Rows& a) {
  for (int r = 0; r < 8; ++r) {
    a.row[r] = shifted(_mm512_cvtepu8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(pixels + stride * r))));
  }
}

VOXCAST_512_INLINE __m512i all(uint16_t value) { return _mm512_set1_epi16(static_cast<int16_t>(value)); }

VOXCAST_512_INLINE void load(const uint16_t* cells, size_t stride, const GreyLine& line, Rows& a) {
  const __m128i left = _mm_cvtsi32_si128(static_cast<int>(line.left)), right = _mm_cvtsi32_si128(static_cast<int>(line.right));
  for (int r = 0; r < 8; ++r) {
    __m512i v = _mm512_sll_epi16(_mm512_loadu_si512(cells + stride * r), left);
    if (line.is_signed) {
      v = _mm512_max_epi16(_mm512_min_epi16(_mm512_sra_epi16(v, right), all(line.high)), all(line.low));
    } else {
      v = _mm512_max_epu16(_mm512_min_epu16(_mm512_srl_epi16(v, right), all(line.high)), all(line.low));
    }
    v = _mm512_sub_epi16(v, all(line.base));
    v = _mm512_add_epi16(_mm512_add_epi16(_mm512_mullo_epi16(v, all(line.whole)), _mm512_mulhi_epu16(v, all(line.fraction))), all(line.offset));
    if (line.is_steep) {
      v = _mm512_min_epu16(_mm512_srli_epi16(_mm512_subs_epu16(v, all(line.floor)), 7), all(255));
    } else {
      v = _mm512_srli_epi16(v, 8);
    }
    a.row[r] = shifted(_mm512_xor_si512(v, all(line.flip)));
  }
}

VOXCAST_512_INLINE void take(Rows& a, const JpegCodes& codes, Block* out) {
  transpose(a);
  transform<true>(a);
  transpose(a);
  transform<false>(a);
  for (int r = 0; r < 8; ++r) a.row[r] = divided(a.row[r], codes, r);
  const __m512i first = _mm512_load_si512(kZigzag), second = _mm512_load_si512(kZigzag + 32);
  // From rows of four blocks to the rows of one: 4 x 4 lanes turned, twice.
  __m512i whole[4][2];
  for (int half = 0; half < 2; ++half) {
    const __m512i* r = a.row + 4 * half;
    const __m512i low01 = _mm512_shuffle_i32x4(r[0], r[1], 0x44), high01 = _mm512_shuffle_i32x4(r[0], r[1], 0xEE);
    const __m512i low23 = _mm512_shuffle_i32x4(r[2], r[3], 0x44), high23 = _mm512_shuffle_i32x4(r[2], r[3], 0xEE);
    whole[0][half] = _mm512_shuffle_i32x4(low01, low23, 0x88);
    whole[1][half] = _mm512_shuffle_i32x4(low01, low23, 0xDD);
    whole[2][half] = _mm512_shuffle_i32x4(high01, high23, 0x88);
    whole[3][half] = _mm512_shuffle_i32x4(high01, high23, 0xDD);
  }
  for (int j = 0; j < 4; ++j) {
    const __m512i low = _mm512_permutex2var_epi16(whole[j][0], first, whole[j][1]);
    const __m512i high = _mm512_permutex2var_epi16(whole[j][0], second, whole[j][1]);
    _mm512_store_si512(out[j].value, low);
    _mm512_store_si512(out[j].value + 32, high);
    out[j].is_there = uint64_t(_mm512_test_epi16_mask(low, low)) | uint64_t(_mm512_test_epi16_mask(high, high)) << 32;
  }
}

// Bits on their way out. Two codes, each with its value, fit beside what a flush leaves: 7 + 2 * 26.
struct Sink {
  uint64_t held;
  unsigned bits;
  uint8_t* at;

  VOXCAST_512 __attribute__((always_inline)) void put(uint32_t code, unsigned length) {
    held = held << length | code;
    bits += length;
  }
  // Stores eight bytes, of which the whole ones count: no branch to guess wrong.
  VOXCAST_512 __attribute__((always_inline)) void flush() {
    const uint64_t word = __builtin_bswap64(held << ((64 - bits) & 63));
    std::memcpy(at, &word, 8);
    at += bits >> 3;
    bits &= 7;
  }
};

VOXCAST_512_INLINE unsigned width_of(int value) { return 32 - _lzcnt_u32(static_cast<uint32_t>(value < 0 ? -value : value)); }

VOXCAST_512_INLINE void put_value(Sink& sink, JpegCodes::Code code, int value, unsigned width) {
  const uint32_t low = static_cast<uint32_t>(value - (value < 0)) & ((uint32_t(1) << width) - 1);
  sink.put(code.bits << width | low, code.length + width);
}

// The value at the place, and the zeros since the place before.
VOXCAST_512 static inline __attribute__((always_inline)) void put_place(Sink& sink, const JpegCodes& codes, int value, unsigned place, unsigned& before) {
  unsigned run = place - before - 1;
  before = place;
  for (; __builtin_expect(run > 15, 0); run -= 16) {
    sink.flush();
    sink.put(codes.ac[15][0].bits, codes.ac[15][0].length);
    sink.flush();
  }
  if (__builtin_expect(static_cast<unsigned>(value + 32) < 64, 1)) {
    const uint32_t code = codes.small[run][value + 32];
    sink.put(code >> 5, code & 31);
  } else {
    const unsigned bits = width_of(value);
    put_value(sink, codes.ac[run][bits], value, bits);
  }
}

VOXCAST_512_INLINE void code_block(const Block& block, const JpegCodes& codes, int& mean, Sink& sink) {
  const int difference = block.value[0] - mean;
  mean = block.value[0];
  const unsigned width = width_of(difference);
  put_value(sink, codes.dc[width], difference, width);
  unsigned before = 0;
  uint64_t left = block.is_there & ~uint64_t(1);
  while (left) {
    const unsigned place = static_cast<unsigned>(_tzcnt_u64(left));
    left = _blsr_u64(left);
    put_place(sink, codes, block.value[place], place, before);
    sink.flush();
    if (!left) break;
    const unsigned next = static_cast<unsigned>(_tzcnt_u64(left));
    left = _blsr_u64(left);
    put_place(sink, codes, block.value[next], next, before);
  }
  if (before != 63) sink.put(codes.ac[0][0].bits, codes.ac[0][0].length);
  sink.flush();
}

VOXCAST_512_INLINE void code_group(const Block* group, size_t left, const JpegCodes& codes, int& mean, Sink& sink) {
  for (size_t j = 0; j < (left < kBlocksAtOnce ? left : kBlocksAtOnce); ++j) code_block(group[j], codes, mean, sink);
}

}  // namespace

VOXCAST_512 uint8_t* jpeg_blocks(const JpegCodes& codes, const uint8_t* pixels, size_t stride, size_t blocks, JpegState& state, uint8_t* out) {
  Sink sink{state.held, state.held_bits, out};
  Block group[kBlocksAtOnce];
  for (size_t at = 0; at < blocks; at += kBlocksAtOnce) {
    Rows rows;
    load(pixels + 8 * at, stride, rows);
    take(rows, codes, group);
    code_group(group, blocks - at, codes, state.mean, sink);
  }
  state.held = sink.held;
  state.held_bits = sink.bits;
  return sink.at;
}

VOXCAST_512 uint8_t* jpeg_blocks(const JpegCodes& codes, const uint16_t* cells, size_t stride, const GreyLine& line, size_t blocks, JpegState& state,
                                 uint8_t* out) {
  Sink sink{state.held, state.held_bits, out};
  Block group[kBlocksAtOnce];
  for (size_t at = 0; at < blocks; at += kBlocksAtOnce) {
    Rows rows;
    load(cells + 8 * at, stride, line, rows);
    take(rows, codes, group);
    code_group(group, blocks - at, codes, state.mean, sink);
  }
  state.held = sink.held;
  state.held_bits = sink.bits;
  return sink.at;
}

}  // namespace voxcast

#else

#include <cstdlib>

namespace voxcast {
uint8_t* jpeg_blocks(const JpegCodes&, const uint8_t*, size_t, size_t, JpegState&, uint8_t*) { std::abort(); }  // see has_jpeg_grey
uint8_t* jpeg_blocks(const JpegCodes&, const uint16_t*, size_t, const GreyLine&, size_t, JpegState&, uint8_t*) { std::abort(); }
}  // namespace voxcast

#endif

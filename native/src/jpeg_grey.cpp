#include "jpeg_grey.hpp"

#include <sys/uio.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace voxcast {
namespace {

// ISO/IEC 10918-1 annex K: table K.1 by rows, and the codes of tables K.3 and K.5 (how many of each length, and what they mean).
constexpr uint8_t kLuminance[64] = {
    16, 11, 10, 16, 24,  40,  51,  61,  12, 12, 14, 19, 26,  58,  60,  55, 14, 13, 16, 24, 40,  57,  69,  56, 14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68,  109, 103, 77,  24, 35, 55, 64, 81,  104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
};
constexpr uint8_t kDcCounts[16] = {0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0};
constexpr uint8_t kDcValues[12] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
constexpr uint8_t kAcCounts[16] = {0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 125};
constexpr uint8_t kAcValues[162] = {
    0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61, 0x07, 0x22, 0x71, 0x14, 0x32, 0x81, 0x91, 0xA1, 0x08,
    0x23, 0x42, 0xB1, 0xC1, 0x15, 0x52, 0xD1, 0xF0, 0x24, 0x33, 0x62, 0x72, 0x82, 0x09, 0x0A, 0x16, 0x17, 0x18, 0x19, 0x1A, 0x25, 0x26, 0x27, 0x28,
    0x29, 0x2A, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3A, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4A, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59,
    0x5A, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6A, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7A, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89,
    0x8A, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0xA2, 0xA3, 0xA4, 0xA5, 0xA6, 0xA7, 0xA8, 0xA9, 0xAA, 0xB2, 0xB3, 0xB4, 0xB5, 0xB6,
    0xB7, 0xB8, 0xB9, 0xBA, 0xC2, 0xC3, 0xC4, 0xC5, 0xC6, 0xC7, 0xC8, 0xC9, 0xCA, 0xD2, 0xD3, 0xD4, 0xD5, 0xD6, 0xD7, 0xD8, 0xD9, 0xDA, 0xE1, 0xE2,
    0xE3, 0xE4, 0xE5, 0xE6, 0xE7, 0xE8, 0xE9, 0xEA, 0xF1, 0xF2, 0xF3, 0xF4, 0xF5, 0xF6, 0xF7, 0xF8, 0xF9, 0xFA,
};
constexpr uint8_t kZigzag[64] = {
    0,  1,  8,  16, 9,  2,  3,  10, 17, 24, 32, 25, 18, 11, 4,  5,  12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6,  7,  14, 21, 28,
    35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
};

// The quantization table of a quality, by rows, as libjpeg scales it.
void steps_of(int quality, uint8_t* steps) {
  const int percent = quality < 50 ? 5000 / quality : 200 - 2 * quality;
  for (int i = 0; i < 64; ++i) steps[i] = static_cast<uint8_t>(std::clamp((kLuminance[i] * percent + 50) / 100, 1, 255));
}

// Codes by value, in order of length (annex C).
template <class Give>
void each_code(const uint8_t* counts, const uint8_t* values, Give give) {
  uint32_t code = 0;
  for (unsigned length = 1; length <= 16; ++length, code <<= 1)
    for (unsigned n = 0; n < counts[length - 1]; ++n) give(*values++, JpegCodes::Code{code++, length});
}

JpegCodes huffman_codes() {
  JpegCodes out{};
  each_code(kDcCounts, kDcValues, [&](uint8_t value, JpegCodes::Code code) { out.dc[value] = code; });
  each_code(kAcCounts, kAcValues, [&](uint8_t value, JpegCodes::Code code) { out.ac[value >> 4][value & 15] = code; });
  for (int run = 0; run < 16; ++run)
    for (int value = -32; value < 32; ++value) {
      unsigned width = 0;
      while (std::abs(value) >> width) ++width;
      const JpegCodes::Code code = out.ac[run][width];
      const uint32_t low = static_cast<uint32_t>(value - (value < 0)) & ((1u << width) - 1);
      out.small[run][value + 32] = (code.bits << width | low) << 5 | (code.length + width);
    }
  return out;
}

// How to divide words up to 2^15 by multiplying (A. Fog, Optimizing subroutines in assembly language, 16.9).
void reciprocals_of(const uint8_t* steps, JpegCodes& out) {
  for (int i = 0; i < 64; ++i) {
    const uint32_t divisor = 8u * steps[i];
    unsigned top = 0;
    while (divisor >> (top + 1)) ++top;
    unsigned shift = 16 + top;
    uint32_t reciprocal = (1u << shift) / divisor, correction = divisor / 2;
    const uint32_t rest = (1u << shift) % divisor;
    if (rest == 0) {
      reciprocal >>= 1;
      --shift;
    } else if (rest <= divisor / 2) {
      ++correction;
    } else {
      ++reciprocal;
    }
    out.reciprocal[i] = static_cast<uint16_t>(reciprocal);
    out.correction[i] = static_cast<uint16_t>(correction);
    out.scale[i] = static_cast<uint16_t>(1u << (32 - shift));
  }
}

void append(std::vector<uint8_t>& out, std::initializer_list<unsigned> bytes) {
  for (unsigned byte : bytes) out.push_back(static_cast<uint8_t>(byte));
}

// JFIF 1.01 without a pixel density, one component, the codes of annex K.
std::vector<uint8_t> head(size_t width, size_t height, const uint8_t* steps) {
  std::vector<uint8_t> out;
  out.reserve(width * height / 4 + 1024);
  append(out, {0xFF, 0xD8, 0xFF, 0xE0, 0, 16, 'J', 'F', 'I', 'F', 0, 1, 1, 0, 0, 1, 0, 1, 0, 0});
  append(out, {0xFF, 0xDB, 0, 67, 0});
  for (uint8_t place : kZigzag) out.push_back(steps[place]);
  const unsigned w = static_cast<unsigned>(width), h = static_cast<unsigned>(height);
  append(out, {0xFF, 0xC0, 0, 11, 8, h >> 8, h & 255, w >> 8, w & 255, 1, 1, 0x11, 0});
  append(out, {0xFF, 0xC4, 0, 31, 0x00});
  out.insert(out.end(), std::begin(kDcCounts), std::end(kDcCounts));
  out.insert(out.end(), std::begin(kDcValues), std::end(kDcValues));
  append(out, {0xFF, 0xC4, 0, 181, 0x10});
  out.insert(out.end(), std::begin(kAcCounts), std::end(kAcCounts));
  out.insert(out.end(), std::begin(kAcValues), std::end(kAcValues));
  append(out, {0xFF, 0xDA, 0, 8, 1, 1, 0x00, 0, 63, 0});
  return out;
}

// Entropy-coded bytes, with a zero behind every 0xFF (B.1.1.5).
void stuff(const uint8_t* from, const uint8_t* end, std::vector<uint8_t>& out) {
  while (from != end) {
    const void* found = std::memchr(from, 0xFF, static_cast<size_t>(end - from));
    const uint8_t* stop = found ? static_cast<const uint8_t*>(found) + 1 : end;
    out.insert(out.end(), from, stop);
    if (found) out.push_back(0);
    from = stop;
  }
}

}  // namespace

bool has_jpeg_grey() {
#if defined(__x86_64__) && defined(__GNUC__)
  static const bool answer = __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                             __builtin_cpu_supports("bmi2");
  return answer;
#else
  return false;
#endif
}

namespace {

// A picture that is coded strip by strip, eight rows at a time.
class Coder {
 public:
  Coder(size_t width, size_t height, int quality)
      : blocks_((width + 7) / 8), width_(width), stride_((blocks_ + kBlocksAtOnce - 1) / kBlocksAtOnce * kBlocksAtOnce * 8), codes_(common()) {
    uint8_t steps[64];
    steps_of(quality, steps);
    reciprocals_of(steps, codes_);
    out_ = head(width, height, steps);
    coded_.resize(blocks_ * kBlockBytesMax + 16);
  }

  // `rows` rows, at most eight, of `width` values without gaps; the last column and the last row go on to the end of their blocks.
  template <class T, class... Line>
  void strip(const T* values, size_t rows, std::vector<T>& room, const Line&... line) {
    size_t stride = width_;
    if (stride_ != width_ || rows < 8) {
      room.resize(8 * stride_);
      for (size_t r = 0; r < 8; ++r) {
        const T* row = values + std::min(r, rows - 1) * width_;
        std::copy_n(row, width_, &room[r * stride_]);
        std::fill_n(&room[r * stride_] + width_, stride_ - width_, row[width_ - 1]);
      }
      values = room.data();
      stride = stride_;
    }
    stuff(coded_.data(), jpeg_blocks(codes_, values, stride, line..., blocks_, state_, coded_.data()), out_);
  }

  std::vector<uint8_t> end() {
    if (state_.held_bits) {  // filled up with ones (F.1.2.3)
      const unsigned rest = 8 - state_.held_bits;
      const uint8_t last = static_cast<uint8_t>(state_.held << rest | ((1u << rest) - 1));
      stuff(&last, &last + 1, out_);
    }
    append(out_, {0xFF, 0xD9});
    return std::move(out_);
  }

 private:
  static const JpegCodes& common() {
    static const JpegCodes codes = huffman_codes();
    return codes;
  }
  size_t blocks_, width_, stride_;
  JpegCodes codes_;
  JpegState state_;
  std::vector<uint8_t> out_, coded_;
};

// Whether all of these bytes were in the page cache.
bool read_cached(int file, uint64_t offset, void* to, size_t size) {
#ifdef RWF_NOWAIT
  const iovec room{to, size};
  return preadv2(file, &room, 1, static_cast<off_t>(offset), RWF_NOWAIT) == static_cast<ssize_t>(size);
#else
  (void)file, (void)offset, (void)to, (void)size;
  return false;
#endif
}

constexpr size_t kReadBytes = 64 * 1024;  // so little that it is still in the nearest cache when it is looked at

}  // namespace

std::vector<uint8_t> jpeg_grey(const uint8_t* pixels, size_t width, size_t height, int quality) {
  Coder coder(width, height, quality);
  std::vector<uint8_t> room;
  for (size_t y = 0; y < height; y += 8) coder.strip(pixels + y * width, std::min<size_t>(8, height - y), room);
  return coder.end();
}

std::vector<uint8_t> jpeg_grey_cells(int file, uint64_t offset, size_t width, size_t height, const GreyLine& line, int quality) {
  Coder coder(width, height, quality);
  const size_t row_bytes = 2 * width, at_once = std::max<size_t>(8, kReadBytes / row_bytes / 8 * 8);
  std::vector<uint16_t> cells(std::min(at_once, height) * width), room;
  for (size_t y = 0; y < height; y += at_once) {
    const size_t rows = std::min(at_once, height - y);
    if (!read_cached(file, offset + y * row_bytes, cells.data(), rows * row_bytes)) return {};
    for (size_t r = 0; r < rows; r += 8) coder.strip(cells.data() + r * width, std::min<size_t>(8, rows - r), room, line);
  }
  return coder.end();
}

}  // namespace voxcast

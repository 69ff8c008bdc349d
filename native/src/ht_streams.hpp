// The three bit streams of a cleanup pass: MagSgn forward, VLC backward, MEL between them (T.814 7.1), written.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "bad_code.hpp"
#include "wide.hpp"

namespace voxcast {

constexpr size_t kMelBytes = 256, kVlcBytes = 4096;

// Whether one of the eight bytes is 0.
VOXCAST_INLINE bool has_zero_byte(uint64_t word) {
  return ((word - 0x0101010101010101u) & ~word & 0x8080808080808080u) != 0;
}

// Adaptive run lengths (T.814 7.3.3).
struct MelWriter {
  uint8_t bytes[kMelBytes];
  size_t size = 0;
  unsigned room = 8, held = 0, run = 0, state = 0, threshold = 1;

  VOXCAST_INLINE void bit(unsigned value) {
    held = held << 1 | value;
    if (--room != 0) return;
    if (size == kMelBytes) throw BadCode("a block with more runs than a block can have");
    bytes[size++] = static_cast<uint8_t>(held);
    room = held == 0xFF ? 7 : 8;
    held = 0;
  }

  VOXCAST_INLINE void event(bool is_one) {
    static constexpr uint8_t kExponents[13] = {0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 5};
    if (!is_one) {
      if (++run < threshold) return;
      bit(1);
      run = 0;
      state = state < 12 ? state + 1 : 12;
    } else {
      bit(0);
      for (unsigned left = kExponents[state]; left-- > 0;) bit(run >> left & 1);
      run = 0;
      state = state > 0 ? state - 1 : 0;
    }
    threshold = 1u << kExponents[state];
  }
};

// Grows downward from the end of `bytes`; after a byte above 0x8F one of seven ones has no eighth bit.
struct VlcWriter {
  uint8_t bytes[kVlcBytes];
  uint8_t* at = bytes + kVlcBytes - 1;  // the last byte written
  uint64_t held = 0xF;
  unsigned held_bits = 4;

  VlcWriter() { *at = 0xFF; }
  size_t size() const { return static_cast<size_t>(bytes + kVlcBytes - at); }

  // At most 32 bits. Whole bytes leave at once, how many there are decides no branch.
  VOXCAST_INLINE void put(uint64_t value, unsigned count) {
    held |= value << held_bits;
    held_bits += count;
    if (__builtin_expect(has_zero_byte(~held & 0x7F7F7F7F7F7F7F7Fu) || at - bytes < 16, 0)) return drain();
    const uint64_t back = __builtin_bswap64(held);
    std::memcpy(at - 8, &back, 8);
    at -= held_bits >> 3;
    held >>= held_bits & ~7u;
    held_bits &= 7;
  }

  void drain() {
    if (at - bytes < 16) throw BadCode("a block of more bytes than its header can say");
    while (held_bits >= 7) {
      const bool is_seven = *at > 0x8F && (held & 0x7F) == 0x7F;
      if (!is_seven && held_bits < 8) return;
      const uint8_t byte = static_cast<uint8_t>(held & (is_seven ? 0x7F : 0xFF));
      *--at = byte;
      held >>= is_seven ? 7 : 8;
      held_bits -= is_seven ? 7 : 8;
    }
  }
};

// After a byte of 0xFF comes one of seven bits. Writes up to eight bytes beyond what it has.
struct MagSgnWriter {
  uint8_t* at;
  uint64_t held = 0;
  unsigned held_bits = 0;
  bool is_after_ff = false;

  explicit MagSgnWriter(uint8_t* out) : at(out) {}

  // At most 56 bits.
  VOXCAST_INLINE void put(uint64_t value, unsigned count) {
    held |= value << held_bits;
    held_bits += count;
    if (__builtin_expect(is_after_ff || has_zero_byte(~held), 0)) return drain();
    std::memcpy(at, &held, 8);
    at += held_bits >> 3;
    held >>= held_bits & ~7u;
    held_bits &= 7;
  }

  void drain() {
    while (held_bits >= (is_after_ff ? 7u : 8u)) {
      const unsigned count = is_after_ff ? 7 : 8;
      const uint8_t byte = static_cast<uint8_t>(held & ((1u << count) - 1));
      *at++ = byte;
      is_after_ff = byte == 0xFF;
      held >>= count;
      held_bits -= count;
    }
  }

  // Filled up with ones; a last byte of 0xFF is left out.
  void end() {
    drain();
    const unsigned room = is_after_ff ? 7 : 8;
    if (held_bits > 0) {
      const unsigned byte = static_cast<unsigned>(held) | (((1u << (room - held_bits)) - 1) << held_bits);
      if (byte != 0xFF) *at++ = static_cast<uint8_t>(byte);
    } else if (is_after_ff) {
      --at;
    }
  }
};

// MEL's last byte and VLC's last may be one, where their bits do not contradict each other.
inline void end(MelWriter& mel, VlcWriter& vlc) {
  vlc.drain();
  if (mel.run > 0) mel.bit(1);
  const unsigned mel_byte = mel.held << mel.room & 0xFF, vlc_byte = static_cast<unsigned>(vlc.held);
  const unsigned mel_mask = 0xFFu << mel.room & 0xFF, vlc_mask = (1u << vlc.held_bits) - 1;
  if ((mel_mask | vlc_mask) == 0) return;
  if (mel.size == kMelBytes || vlc.at == vlc.bytes) throw BadCode("a block of more bytes than its header can say");
  const unsigned both = mel_byte | vlc_byte;
  const bool is_one = (((both ^ mel_byte) & mel_mask) | ((both ^ vlc_byte) & vlc_mask)) == 0;
  mel.bytes[mel.size++] = static_cast<uint8_t>(is_one && both != 0xFF && vlc.size() > 1 ? both : mel_byte);
  if (!(is_one && both != 0xFF && vlc.size() > 1)) *--vlc.at = static_cast<uint8_t>(vlc_byte);
}

}  // namespace voxcast

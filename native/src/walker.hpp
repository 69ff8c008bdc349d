// One walk over the elements of a data set, in any of the uncompressed encodings (PS3.5 section 7).
#pragma once
#include <cstdint>

#include "dictionary.hpp"
#include "limits.hpp"
#include "source.hpp"

namespace voxcast {

constexpr uint32_t kUndefined = 0xFFFFFFFF;
constexpr uint32_t kItem = 0xFFFEE000, kItemEnd = 0xFFFEE00D, kSequenceEnd = 0xFFFEE0DD;
constexpr uint32_t kPixelData = 0x7FE00010, kFloatPixelData = 0x7FE00008, kDoublePixelData = 0x7FE00009;

struct Encoding {
  bool is_explicit = true;
  bool is_big_endian = false;
};

struct Element {
  uint32_t tag = 0;
  uint16_t vr = 0;
  uint32_t length = 0;   // kUndefined: until its delimiter
  uint64_t at = 0;       // first byte of the value
  Encoding encoding;     // of the value
  bool has_fragments() const { return length == kUndefined && vr != vr::SQ; }
};

inline uint16_t read16(const uint8_t* p, bool big) {
  return static_cast<uint16_t>(big ? p[0] << 8 | p[1] : p[1] << 8 | p[0]);
}
inline uint32_t read32(const uint8_t* p, bool big) {
  return big ? uint32_t(p[0]) << 24 | uint32_t(p[1]) << 16 | uint32_t(p[2]) << 8 | p[3]
             : uint32_t(p[3]) << 24 | uint32_t(p[2]) << 16 | uint32_t(p[1]) << 8 | p[0];
}
inline uint64_t read64(const uint8_t* p, bool big) {
  const uint64_t a = read32(p, big), b = read32(p + 4, big);
  return big ? a << 32 | b : b << 32 | a;
}

// Visitor, with `depth` 0 for the data set itself:
//   bool sequence(const Element&, depth)   enter it? Otherwise it is hopped over.
//   void sequence_end(const Element&, depth, bool damaged), void item(index, depth), void item_end(depth)
//   bool value(const Element&, depth)      everything else; false ends the walk
template <class Visitor>
class Walker {
 public:
  Walker(Source& source, const Limits& limits, Visitor& visitor) : source_(source), limits_(limits), visitor_(visitor) {}

  // Where the walk ended. With `is_prefix` the source may be only the start of a data set, cut where its pixel data begins.
  uint64_t walk(uint64_t at, Encoding encoding, bool is_prefix) {
    is_prefix_ = is_prefix;
    return data_set(at, source_.size(), encoding, 0, false, true);
  }
  // One sequence alone, at depth 0.
  void walk_sequence(const Element& e) { sequence(e, source_.size(), 0, true); }
  uint64_t trailing_bytes() const { return trailing_; }

 private:
  static bool is_letters(const uint8_t* p) { return p[0] >= 'A' && p[0] <= 'Z' && p[1] >= 'A' && p[1] <= 'Z'; }

  [[noreturn]] static void malformed(const char* why, uint64_t at) { throw ScanError(Fault::malformed, why, at); }

  // Reads the header of the element at `at`; `end` bounds the data set that it is in.
  Element header(uint64_t at, uint64_t end, Encoding encoding) {
    if (++count_ > limits_.elements_max) throw ScanError(Fault::too_large, "elements_max", count_, limits_.elements_max);
    need(at, 8, end);
    const uint8_t* p = source_.at(at, 8);
    const bool big = encoding.is_big_endian;
    Element e;
    e.tag = uint32_t(read16(p, big)) << 16 | read16(p + 2, big);
    e.encoding = encoding;
    e.at = at + 8;
    if ((e.tag >> 16) == 0xFFFE) {
      e.length = read32(p + 4, big);
      return e;
    }
    if (encoding.is_explicit && is_letters(p + 4)) {
      e.vr = vr_code(static_cast<char>(p[4]), static_cast<char>(p[5]));
      // A VR of a later edition has the long form (PS3.5 7.1.2), which its two zero bytes confirm.
      const bool is_long = has_long_length(e.vr) || (!is_known_vr(e.vr) && read16(p + 6, big) == 0);
      if (is_long) {
        need(at, 12, end);
        e.length = read32(source_.at(at, 12) + 8, big);
        e.at = at + 12;
      } else {
        e.length = read16(p + 6, big);
      }
      if (!is_known_vr(e.vr)) e.vr = vr::UN;
      if (e.vr == vr::UN) {
        // A known attribute that travelled through a system which did not know it (PS3.5 6.2.2): implicit little endian inside.
        const uint16_t known = e.length == kUndefined ? vr::SQ : dictionary_vr(e.tag);
        if (known == vr::SQ || (known != vr::UN && known != vr::OW)) {
          e.vr = known;
          e.encoding = Encoding{false, false};
        }
      }
    } else {
      e.length = read32(p + 4, big);
      e.vr = dictionary_vr(e.tag);
      if (e.length == kUndefined) e.vr = e.tag == kPixelData ? vr::OB : vr::SQ;  // fragments are OB (PS3.5 A.4)
      e.encoding.is_explicit = false;
    }
    return e;
  }

  void need(uint64_t at, uint64_t n, uint64_t end) const {
    if (at <= end && n <= end - at) return;
    if (end == source_.size()) throw ScanError(Fault::truncated, "", at + n, end);
    malformed("an element reaches past the end of the item that holds it", at);
  }

  // An item may be encoded otherwise than the data set around it says; its first element shows it.
  Encoding settle(uint64_t at, uint64_t end, Encoding encoding) {
    if (at + 8 > end || encoding.is_big_endian) return encoding;
    const uint8_t* p = source_.at(at, 8);
    if (read16(p, false) == 0xFFFE) return encoding;
    if (encoding.is_explicit && !is_letters(p + 4)) return Encoding{false, false};
    if (!encoding.is_explicit && is_letters(p + 4) && is_known_vr(vr_code(char(p[4]), char(p[5]))) &&
        read32(p + 4, false) > end - at)
      return Encoding{true, false};
    return encoding;
  }

  uint64_t data_set(uint64_t at, uint64_t end, Encoding encoding, unsigned depth, bool until_delimiter, bool visit) {
    while (at < end) {
      if (!until_delimiter && end - at < 8) {
        // Padding behind the last element. Anything else means that bytes are missing.
        const uint8_t* p = source_.at(at, static_cast<size_t>(end - at));
        for (uint64_t i = 0; i < end - at; ++i)
          if (p[i] != 0) need(at, 8, end);
        if (depth == 0) trailing_ = end - at;
        return end;
      }
      const Element e = header(at, end, encoding);
      if ((e.tag >> 16) == 0xFFFE) {
        if (e.tag == kItemEnd && until_delimiter) return e.at;
        // Stray delimiters with no length are left by some writers at the end of items of defined length.
        if (e.length == 0 && (e.tag == kItemEnd || e.tag == kSequenceEnd)) {
          at = e.at;
          continue;
        }
        malformed("an item where an element should be", at);
      }
      if (depth == 0 && e.tag == 0 && e.length == 0) {
        bool zero = true;
        for (uint64_t i = at; zero && i < end; i += 4096) {
          const size_t n = static_cast<size_t>(end - i < 4096 ? end - i : 4096);
          const uint8_t* p = source_.at(i, n);
          for (size_t k = 0; zero && k < n; ++k) zero = p[k] == 0;
        }
        if (zero) {
          trailing_ = end - at;
          return end;
        }
      }
      at = e.vr == vr::SQ ? sequence(e, end, depth, visit) : value(e, end, depth, visit);
      if (stopped_) return at;
    }
    if (until_delimiter) need(at, 8, end);
    return at;
  }

  uint64_t value(const Element& e, uint64_t end, unsigned depth, bool visit) {
    const bool is_pixels = depth == 0 && (e.tag == kPixelData || e.tag == kFloatPixelData || e.tag == kDoublePixelData);
    if (is_prefix_ && is_pixels && !is_whole(e, end)) {
      visitor_.value(e, depth);
      stopped_ = true;
      return e.at;
    }
    if (e.length == kUndefined) {
      if (visit && !visitor_.value(e, depth)) stopped_ = true;
      return stopped_ ? e.at : fragments_end(e.at, end, e.encoding.is_big_endian);
    }
    need(e.at, e.length, end);
    if (visit && !visitor_.value(e, depth)) stopped_ = true;
    return e.at + e.length;
  }

  // Whether a prefix goes on behind its pixels: then there may be attributes there.
  static bool is_whole(const Element& e, uint64_t end) {
    return e.length == kUndefined ? e.at < end : e.at <= end && e.length <= end - e.at;
  }

  uint64_t fragments_end(uint64_t at, uint64_t end, bool big) {
    for (;;) {
      need(at, 8, end);
      if (++count_ > limits_.elements_max) throw ScanError(Fault::too_large, "elements_max", count_, limits_.elements_max);
      const uint8_t* p = source_.at(at, 8);
      const uint32_t tag = uint32_t(read16(p, big)) << 16 | read16(p + 2, big), length = read32(p + 4, big);
      at += 8;
      if (tag == kSequenceEnd) return at;
      if (tag != kItem || length == kUndefined) malformed("something else than a fragment in encapsulated data", at - 8);
      need(at, length, end);
      at += length;
    }
  }

  uint64_t sequence(const Element& e, uint64_t end, unsigned depth, bool visit) {
    const bool defined = e.length != kUndefined;
    if (defined) need(e.at, e.length, end);
    if (depth + 1 > limits_.sequence_depth_max)
      throw ScanError(Fault::too_large, "sequence_depth_max", depth + 1, limits_.sequence_depth_max);
    const bool enter = visit && visitor_.sequence(e, depth);
    if (!enter && defined) return e.at + e.length;
    const uint64_t stop = defined ? e.at + e.length : end;
    if (!enter) return items(e, stop, depth, false);
    uint64_t at = stop;
    bool damaged = false;
    try {
      at = items(e, stop, depth, true);
    } catch (const ScanError& error) {
      // The length of the sequence still says where it ends, so one bad item does not cost the rest.
      if (!defined || error.fault == Fault::too_large || error.fault == Fault::io) throw;
      damaged = true;
    }
    visitor_.sequence_end(e, depth, damaged);
    return defined ? stop : at;
  }

  uint64_t items(const Element& e, uint64_t stop, unsigned depth, bool visit) {
    uint64_t at = e.at;
    const bool big = e.encoding.is_big_endian;
    for (uint32_t index = 0;; ++index) {
      if (e.length != kUndefined && at >= stop) return at;
      need(at, 8, stop);
      const uint8_t* p = source_.at(at, 8);
      const uint32_t tag = uint32_t(read16(p, big)) << 16 | read16(p + 2, big), length = read32(p + 4, big);
      at += 8;
      if (tag == kSequenceEnd) return at;
      if (tag != kItem) malformed("something else than an item in a sequence", at - 8);
      if (length != kUndefined) need(at, length, stop);
      const uint64_t item_end = length == kUndefined ? stop : at + length;
      if (visit) visitor_.item(index, depth);
      at = data_set(at, item_end, settle(at, item_end, e.encoding), depth + 1, length == kUndefined, visit);
      if (visit) visitor_.item_end(depth);
      if (stopped_) return at;
    }
  }

  Source& source_;
  const Limits& limits_;
  Visitor& visitor_;
  uint64_t count_ = 0, trailing_ = 0;
  bool is_prefix_ = false, stopped_ = false;
};

}  // namespace voxcast

#include "part10.hpp"

#include <cstring>

namespace voxcast {
namespace {

constexpr char kImplicit[] = "1.2.840.10008.1.2", kExplicit[] = "1.2.840.10008.1.2.1", kBig[] = "1.2.840.10008.1.2.2",
               kDeflated[] = "1.2.840.10008.1.2.1.99", kJpipDeflated[] = "1.2.840.10008.1.2.4.95",
               kJpipHtj2kDeflated[] = "1.2.840.10008.1.2.4.205";

std::string text(const uint8_t* p, size_t n) {
  while (n > 0 && (p[n - 1] == ' ' || p[n - 1] == 0)) --n;
  return std::string(reinterpret_cast<const char*>(p), n);
}

// The File Meta group, element by element until another group begins: its length field is often wrong.
struct Meta {
  Source& source;
  Part10& out;
  uint64_t end;
  bool sequence(const Element&, unsigned) { return false; }
  void sequence_end(const Element&, unsigned, bool) {}
  void item(uint32_t, unsigned) {}
  void item_end(unsigned) {}
  bool value(const Element& e, unsigned) {
    if ((e.tag >> 16) != 2) return false;
    if (e.length == kUndefined) throw ScanError(Fault::malformed, "File Meta with an undefined length", e.at);
    if (e.length <= 1024) {
      const std::string v = text(source.at(e.at, e.length), e.length);
      if (e.tag == 0x00020010) out.transfer_syntax_uid = v;
      if (e.tag == 0x00020002) out.sop_class_uid = v;
      if (e.tag == 0x00020003) out.sop_instance_uid = v;
    }
    end = e.at + e.length;
    return true;
  }
};

bool is_letters(const uint8_t* p) { return is_known_vr(vr_code(static_cast<char>(p[0]), static_cast<char>(p[1]))); }

}  // namespace

Part10 read_part10(Source& source, const Limits& limits) {
  Part10 out;
  if (source.size() < 8) throw ScanError(Fault::not_dicom, "shorter than one element");
  uint64_t at = 0;
  bool has_prefix = false;
  if (source.size() >= 132 && std::memcmp(source.at(128, 4), "DICM", 4) == 0) {
    at = 132;
    has_prefix = true;
  } else if (source.size() >= 12 && std::memcmp(source.at(0, 4), "DICM", 4) == 0) {
    at = 4;
    has_prefix = true;
    out.defects.emplace_back("no-preamble");
  }
  if (source.size() - at < 8) throw ScanError(Fault::truncated, "the File Meta Information", at + 8, source.size());
  const uint8_t* p = source.at(at, 8);
  if (read16(p, false) == 2) {
    const bool is_explicit = is_letters(p + 4);
    if (!is_explicit) out.defects.emplace_back("file-meta-implicit");
    if (!has_prefix) out.defects.emplace_back("no-preamble");
    Meta meta{source, out, at};
    Walker<Meta> walker(source, limits, meta);
    // The data set behind may be deflated or big endian: an element of another group ends the walk before its value.
    try {
      walker.walk(at, Encoding{is_explicit, false}, false);
    } catch (const ScanError&) {
      if (meta.end == at) throw;
    }
    at = meta.end;
  } else {
    out.defects.emplace_back("no-file-meta");
  }
  out.data_set_at = at;
  if (at >= source.size()) {
    if (has_prefix) throw ScanError(Fault::truncated, "the data set", at + 8, source.size());
    throw ScanError(Fault::not_dicom, "no data set behind the File Meta Information");
  }
  if (out.transfer_syntax_uid == kDeflated || out.transfer_syntax_uid == kJpipDeflated || out.transfer_syntax_uid == kJpipHtj2kDeflated) {
    out.is_deflated = true;
    out.encoding = Encoding{true, false};
    return out;
  }
  if (source.size() - at < 8) throw ScanError(Fault::truncated, "the data set", at + 8, source.size());
  p = source.at(at, 8);
  const bool looks_explicit = is_letters(p + 4);
  const bool looks_big = p[0] == 0 && p[1] != 0;  // groups of the first element are below 256
  if (!has_prefix) {
    const uint16_t group = read16(p, looks_big);
    const bool first_groups = group == 8 || group == 4 || group == 2 || group == 0x10 || group == 0x20 || group == 0x28;
    if (!first_groups || (!looks_explicit && read32(p + 4, false) > source.size() - at - 8))
      throw ScanError(Fault::not_dicom, "no DICM prefix, and the first bytes are no element of a data set");
  }
  const std::string& ts = out.transfer_syntax_uid;
  if (ts.empty()) {
    out.transfer_syntax_uid = looks_big ? kBig : looks_explicit ? kExplicit : kImplicit;
    if (has_prefix) out.defects.emplace_back("no-transfer-syntax");
    out.encoding = Encoding{looks_explicit, looks_big};
    return out;
  }
  out.encoding = Encoding{ts != kImplicit, ts == kBig};
  if (out.encoding.is_big_endian && !looks_big && read16(p, false) < 0x100 && looks_explicit) out.encoding.is_big_endian = false, out.defects.emplace_back("encoding-mismatch");
  if (!out.encoding.is_big_endian && out.encoding.is_explicit != looks_explicit) {
    out.encoding.is_explicit = looks_explicit;
    out.defects.emplace_back("encoding-mismatch");
  }
  out.is_encapsulated = ts != kImplicit && ts != kExplicit && ts != kBig;
  return out;
}

}  // namespace voxcast

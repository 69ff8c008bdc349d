#include "json_value.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

namespace voxcast {
namespace {

constexpr char kHex[] = "0123456789ABCDEF";


template <class T>
void append_integer(std::string& out, T v) {
  char text[24];
  out.append(text, static_cast<size_t>(std::to_chars(text, text + sizeof text, v).ptr - text));
}

template <class T>
void append_real(std::string& out, T v) {
  if (!std::isfinite(v)) {
    out += std::isnan(v) ? "\"NaN\"" : v > 0 ? "\"inf\"" : "\"-inf\"";
    return;
  }
  char text[40];
  out.append(text, static_cast<size_t>(std::to_chars(text, text + sizeof text, v).ptr - text));
}

// A DS or IS as a JSON number, its digits kept. False when it is none.
bool append_number(std::string& out, const char* p, const char* end, bool is_integer) {
  const size_t start = out.size();
  if (p < end && (*p == '+' || *p == '-')) {
    if (*p == '-') out += '-';
    ++p;
  }
  const char* digits = p;
  while (p < end && *p >= '0' && *p <= '9') ++p;
  const char* first = digits;
  while (first + 1 < p && *first == '0') ++first;
  bool any = p > digits;
  if (any) out.append(first, p); else out += '0';
  if (p < end && *p == '.') {
    const char* fraction = ++p;
    while (p < end && *p >= '0' && *p <= '9') ++p;
    any = any || p > fraction;
    if (is_integer && std::any_of(fraction, p, [](char c) { return c != '0'; })) any = false;
    if (!is_integer && p > fraction) {
      out += '.';
      out.append(fraction, p);
    }
  }
  if (any && !is_integer && p < end && (*p == 'e' || *p == 'E')) {
    const char* e = p++;
    if (p < end && (*p == '+' || *p == '-')) ++p;
    const char* exponent = p;
    while (p < end && *p >= '0' && *p <= '9') ++p;
    if (p == exponent || p - exponent > 4) any = false; else out.append(e, p);
  }
  if (any && p == end) return true;
  out.resize(start);
  return false;
}

void append_base64(std::string& out, const uint8_t* p, size_t n, size_t swap) {
  static const char k[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const auto byte = [&](size_t i) {
    if (swap > 1) {
      const size_t word = i - i % swap;
      if (word + swap <= n) i = word + swap - 1 - i % swap;
    }
    return p[i];
  };
  size_t i = 0;
  for (; i + 3 <= n; i += 3) {
    const uint32_t v = uint32_t(byte(i)) << 16 | uint32_t(byte(i + 1)) << 8 | byte(i + 2);
    out += k[v >> 18]; out += k[v >> 12 & 63]; out += k[v >> 6 & 63]; out += k[v & 63];
  }
  if (i < n) {
    const uint32_t v = uint32_t(byte(i)) << 16 | (i + 1 < n ? uint32_t(byte(i + 1)) << 8 : 0);
    out += k[v >> 18]; out += k[v >> 12 & 63];
    out += i + 1 < n ? k[v >> 6 & 63] : '=';
    out += '=';
  }
}

bool is_text(uint16_t code) {  // Specific Character Set applies (PS3.5 6.1.2.2)
  return code == vr::LO || code == vr::LT || code == vr::PN || code == vr::SH || code == vr::ST || code == vr::UC || code == vr::UT;
}
bool is_binary(uint16_t code) {
  return code == vr::OB || code == vr::OD || code == vr::OF || code == vr::OL || code == vr::OV || code == vr::OW || code == vr::UN;
}
bool is_single(uint16_t code) { return code == vr::LT || code == vr::ST || code == vr::UR || code == vr::UT; }

void append_name(std::string& out, const char* p, const char* end) {
  static const char* const kGroups[] = {"\"Alphabetic\":", "\"Ideographic\":", "\"Phonetic\":"};
  out += '{';
  bool first = true;
  for (int group = 0; group < 3 && p <= end; ++group) {
    const char* stop = group < 2 ? std::find(p, end, '=') : end;
    const char* last = stop;
    while (last > p && (last[-1] == ' ' || last[-1] == '\0')) --last;
    if (last > p) {
      if (!first) out += ',';
      first = false;
      out += kGroups[group];
      append_json_string(out, {p, static_cast<size_t>(last - p)});
    }
    p = stop + 1;
  }
  out += '}';
}

void append_strings(std::string& out, const Element& e, const char* raw, size_t n, const Charset& charset, JsonDefects& defects) {
  while (n > 0 && (raw[n - 1] == ' ' || raw[n - 1] == '\0')) --n;
  if (n == 0) return;
  std::string text;
  const char *p = raw, *end = raw + n;
  if (e.tag == 0x00080005 || !is_plain(raw, n)) {  // most values need no decoding and no copy
    if (e.tag == 0x00080005) {
      text = "ISO_IR 192";  // what this JSON is in, whatever the data set was in (PS3.18 F.2)
    } else if (is_text(e.vr)) {
      text.reserve(2 * n);
      if (!charset.append(text, raw, n, e.vr == vr::PN)) defects.text = true;
    } else if (!append_unnamed(text, raw, n)) {
      defects.text = true;  // outside the default repertoire, which no character set extends here (PS3.5 6.1.2.2)
    }
    p = text.data();
    end = p + text.size();
  }
  out += ",\"Value\":[";
  for (bool first = true;; first = false) {
    if (!first) out += ',';
    const char* stop = is_single(e.vr) ? end : std::find(p, end, '\\');
    const char *a = p, *b = stop;
    while (b > a && (b[-1] == ' ' || b[-1] == '\0')) --b;
    if (!is_single(e.vr))
      while (a < b && *a == ' ') ++a;
    if (a == b) {
      out += "null";
    } else if (e.vr == vr::PN) {
      append_name(out, a, b);
    } else if (e.vr == vr::DS || e.vr == vr::IS) {
      if (!append_number(out, a, b, e.vr == vr::IS)) {
        defects.number = true;
        append_json_string(out, {a, static_cast<size_t>(b - a)});
      }
    } else {
      append_json_string(out, {a, static_cast<size_t>(b - a)});
    }
    if (stop == end) break;
    p = stop + 1;
  }
  out += ']';
}

void append_numbers(std::string& out, uint16_t code, const uint8_t* p, size_t n, bool big) {
  const size_t size = word_size(code), count = n / size;
  if (count == 0) return;
  out += ",\"Value\":[";
  for (size_t i = 0; i < count; ++i, p += size) {
    if (i != 0) out += ',';
    switch (code) {
      case vr::US: append_integer(out, read16(p, big)); break;
      case vr::SS: append_integer(out, static_cast<int16_t>(read16(p, big))); break;
      case vr::UL: append_integer(out, read32(p, big)); break;
      case vr::SL: append_integer(out, static_cast<int32_t>(read32(p, big))); break;
      case vr::UV: append_integer(out, read64(p, big)); break;
      case vr::SV: append_integer(out, static_cast<int64_t>(read64(p, big))); break;
      case vr::AT:
        out += '"';
        append_hex32(out, uint32_t(read16(p, big)) << 16 | read16(p + 2, big));
        out += '"';
        break;
      case vr::FL: {
        const uint32_t bits = read32(p, big);
        float v;
        std::memcpy(&v, &bits, sizeof v);
        append_real(out, v);
        break;
      }
      default: {
        const uint64_t bits = read64(p, big);
        double v;
        std::memcpy(&v, &bits, sizeof v);
        append_real(out, v);
      }
    }
  }
  out += ']';
}

}  // namespace

void append_hex32(std::string& out, uint32_t v) {
  char text[8];
  for (int i = 0; i < 8; ++i) text[i] = kHex[v >> (28 - 4 * i) & 15];
  out.append(text, 8);
}

bool is_string_vr(uint16_t code) {
  return is_text(code) || code == vr::AE || code == vr::AS || code == vr::CS || code == vr::DA || code == vr::DS ||
         code == vr::DT || code == vr::IS || code == vr::TM || code == vr::UI || code == vr::UR;
}

void append_json_vr(std::string& out, uint16_t code) {
  const char text[] = {'"', 'v', 'r', '"', ':', '"', static_cast<char>(code >> 8), static_cast<char>(code & 0xFF), '"'};
  out.append(text, sizeof text);
}

uint16_t settled_vr(uint16_t code, bool pixels_are_signed) {
  return code == vr::US_SS ? (pixels_are_signed ? vr::SS : vr::US) : code;
}

void sort_json_members(std::string& out, size_t start, const Members& members) {
  const auto later = [](const auto& a, const auto& b) { return a.first >= b.first; };
  if (std::adjacent_find(members.begin(), members.end(), later) == members.end()) return;
  const std::string all = out.substr(start);
  std::vector<std::pair<uint32_t, std::string_view>> sorted;
  for (size_t i = 0; i < members.size(); ++i) {
    const size_t from = members[i].second - start;
    const size_t to = i + 1 < members.size() ? members[i + 1].second - start - 1 : all.size();
    sorted.emplace_back(members[i].first, std::string_view(all).substr(from, to - from));
  }
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  out.resize(start);
  for (size_t i = 0; i < sorted.size(); ++i) {
    if (i + 1 < sorted.size() && sorted[i + 1].first == sorted[i].first) continue;
    if (out.size() > start) out += ',';
    out += sorted[i].second;
  }
}

void append_json_tag(std::string& out, uint32_t tag) {
  char text[11] = {'"'};
  for (int i = 0; i < 8; ++i) text[1 + i] = kHex[tag >> (28 - 4 * i) & 15];
  text[9] = '"';
  text[10] = ':';
  out.append(text, sizeof text);
}

void append_json_string(std::string& out, std::string_view utf8) {
  out += '"';
  const char *p = utf8.data(), *end = p + utf8.size();
  for (;;) {
    const char* run = p;
    while (p < end && static_cast<unsigned char>(*p) >= 0x20 && *p != '"' && *p != '\\') ++p;
    out.append(run, p);
    if (p == end) break;
    const char c = *p++;
    const auto u = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else {
      out += "\\u00";
      out += kHex[u >> 4];
      out += kHex[u & 15];
    }
  }
  out += '"';
}

void append_json_value(std::string& out, const Element& e, const uint8_t* value, bool pixels_are_signed, const Charset& charset,
                       JsonDefects& defects) {
  Element settled = e;
  settled.vr = settled_vr(e.vr, pixels_are_signed);
  append_json_vr(out, settled.vr);
  if (e.length == 0) return;
  if (is_string_vr(settled.vr)) {
    append_strings(out, settled, reinterpret_cast<const char*>(value), e.length, charset, defects);
  } else if (is_binary(settled.vr)) {
    out += ",\"InlineBinary\":\"";
    append_base64(out, value, e.length, e.encoding.is_big_endian ? word_size(settled.vr) : 1);
    out += '"';
  } else {
    append_numbers(out, settled.vr, value, e.length, e.encoding.is_big_endian);
  }
}

}  // namespace voxcast

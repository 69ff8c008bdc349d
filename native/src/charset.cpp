#include "charset.hpp"

#include <cstdlib>
#include <cstring>

namespace voxcast {
namespace {

struct Page {
  int ir;
  uint16_t upper[128];
};
const Page kPages[] = {
#include "charset_data.inc"
};

const uint16_t* page_of(const std::string& term) {
  // "ISO_IR 100", and "ISO 2022 IR 100" where no escape is used.
  const size_t at = term.find_last_of("R ");
  if (at == std::string::npos || term.compare(0, 3, "ISO") != 0) return nullptr;
  const int ir = std::atoi(term.c_str() + at + 1);
  for (const Page& page : kPages)
    if (page.ir == ir) return page.upper;
  return nullptr;
}

}  // namespace

bool is_plain(const char* raw, size_t n) {
  unsigned odd = 0;  // no early way out, so that it is done many bytes at a time
  for (size_t i = 0; i < n; ++i) {
    const auto c = static_cast<unsigned char>(raw[i]);
    odd |= (c & 0x80u) | (c == 0x1B);
  }
  return odd == 0;
}

void append_code_point(std::string& out, uint32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0 | c >> 6);
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else {
    out += static_cast<char>(0xE0 | c >> 12);
    out += static_cast<char>(0x80 | (c >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  }
}

bool append_utf8(std::string& out, const char* raw, size_t n) {
  const auto* p = reinterpret_cast<const unsigned char*>(raw);
  bool ok = true;
  for (size_t i = 0; i < n;) {
    const unsigned char c = p[i];
    size_t len = c < 0x80 ? 1 : c >= 0xC2 && c < 0xE0 ? 2 : (c & 0xF0) == 0xE0 ? 3 : c >= 0xF0 && c < 0xF5 ? 4 : 0;
    bool good = len != 0 && i + len <= n;
    for (size_t k = 1; good && k < len; ++k) good = (p[i + k] & 0xC0) == 0x80;
    if (good && len == 3) good = !(c == 0xE0 && p[i + 1] < 0xA0) && !(c == 0xED && p[i + 1] >= 0xA0);
    if (good && len == 4) good = !(c == 0xF0 && p[i + 1] < 0x90) && !(c == 0xF4 && p[i + 1] >= 0x90);
    if (good) {
      out.append(raw + i, len);
      i += len;
    } else {
      append_code_point(out, 0xFFFD);
      ok = false;
      ++i;
    }
  }
  return ok;
}

bool append_unnamed(std::string& out, const char* raw, size_t n) {
  if (is_plain(raw, n)) {
    out.append(raw, n);
    return true;
  }
  std::string utf8;
  if (append_utf8(utf8, raw, n)) {
    out += utf8;
  } else {
    for (size_t i = 0; i < n; ++i) append_code_point(out, static_cast<unsigned char>(raw[i]));
  }
  return false;
}

void Charset::set(const std::string& specific) {
  value_ = specific;
  page_ = nullptr;
  kind_ = Kind::ascii;
  std::string term = specific.substr(0, specific.find('\\'));
  while (!term.empty() && term.back() == ' ') term.pop_back();
  if (specific.find('\\') != std::string::npos) {
    kind_ = Kind::other;  // code extensions
  } else if (term.empty() || term == "ISO_IR 6" || term == "ISO 2022 IR 6") {
    kind_ = Kind::ascii;
  } else if (term == "ISO_IR 192") {
    kind_ = Kind::utf8;
  } else if ((page_ = page_of(term)) != nullptr) {
    kind_ = Kind::page;
  } else {
    kind_ = Kind::other;
  }
}

bool Charset::append(std::string& out, const char* raw, size_t n, bool is_name) const {
  if (is_plain(raw, n)) {
    out.append(raw, n);
    return true;
  }
  switch (kind_) {
    case Kind::utf8: return append_utf8(out, raw, n);
    case Kind::ascii: return append_unnamed(out, raw, n);
    case Kind::page:
      if (std::memchr(raw, 0x1B, n) == nullptr) {
        bool ok = true;
        for (size_t i = 0; i < n; ++i) {
          const auto c = static_cast<unsigned char>(raw[i]);
          const uint32_t code = c < 0x80 ? c : page_[c - 0x80];
          ok = ok && code != 0xFFFD;
          append_code_point(out, code);
        }
        return ok;
      }
      [[fallthrough]];
    case Kind::other: {
      if (decoder_ == nullptr || !*decoder_) return append_utf8(out, raw, n);
      bool ok = true;
      const std::string text = (*decoder_)(value_, raw, n, is_name, &ok);
      return append_utf8(out, text.data(), text.size()) && ok;
    }
  }
  return false;
}

}  // namespace voxcast

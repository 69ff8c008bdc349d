#include "words.hpp"

#include <charconv>
#include <cmath>

namespace voxcast {
namespace {

constexpr size_t kWordMax = 512;

class Reader {
 public:
  explicit Reader(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

  void skip() {
    while (at_ < end_ && (*at_ == ' ' || *at_ == '\t' || *at_ == '\n' || *at_ == '\r')) ++at_;
  }
  bool take(char wanted) {
    skip();
    if (at_ == end_ || *at_ != wanted) return false;
    ++at_;
    return true;
  }
  bool is_over() {
    skip();
    return at_ == end_;
  }
  bool text(std::string_view* found) {
    if (!take('"')) return false;
    const char* begin = at_;
    while (at_ < end_ && *at_ != '"') {
      if (*at_ == '\\' || static_cast<unsigned char>(*at_) < 0x20 || static_cast<unsigned char>(*at_) > 0x7e) return false;
      ++at_;
    }
    if (at_ == end_) return false;
    *found = std::string_view(begin, static_cast<size_t>(at_ - begin));
    ++at_;
    return true;
  }
  bool whole(int64_t* found) {
    const char* begin = number();
    const auto [stop, error] = std::from_chars(begin, at_, *found);
    return begin != at_ && error == std::errc() && stop == at_;
  }
  bool real(double* found) {
    const char* begin = number();
    const auto [stop, error] = std::from_chars(begin, at_, *found);
    return begin != at_ && error == std::errc() && stop == at_ && std::isfinite(*found);
  }
  bool truth(bool* found) {
    skip();
    const std::string_view rest(at_, static_cast<size_t>(end_ - at_));
    const bool is_true = rest.substr(0, 4) == "true";
    if (!is_true && rest.substr(0, 5) != "false") return false;
    *found = is_true;
    at_ += is_true ? 4 : 5;
    return true;
  }

 private:
  const char *at_, *end_;

  // Moves behind a number as RFC 8259 section 6 writes one, and gives its begin; does not move where there is none.
  const char* number() {
    skip();
    const char *begin = at_, *next = at_;
    const auto digits = [this, &next] {
      const char* first = next;
      while (next < end_ && *next >= '0' && *next <= '9') ++next;
      return next - first;
    };
    if (next < end_ && *next == '-') ++next;
    const char* first = next;
    const auto count = digits();
    if (count == 0 || (count > 1 && *first == '0')) return begin;
    if (next < end_ && *next == '.') {
      ++next;
      if (digits() == 0) return begin;
    }
    if (next < end_ && (*next == 'e' || *next == 'E')) {
      ++next;
      if (next < end_ && (*next == '-' || *next == '+')) ++next;
      if (digits() == 0) return begin;
    }
    at_ = next;
    return begin;
  }
};

bool once(bool* has) { return !*has && (*has = true); }

}  // namespace

PlainWord plain_word(std::string_view text) {
  const PlainWord none;
  if (text.size() > kWordMax) return none;
  Reader in(text);
  PlainWord word;
  std::string_view name, kind;
  bool has_type = false;
  if (!in.take('{')) return none;
  do {
    if (!in.text(&name) || !in.take(':')) return none;
    bool is_good = false;
    if (name == "type") is_good = once(&has_type) && in.text(&kind);
    else if (name == "bytes") is_good = once(&word.has_bytes) && in.whole(&word.bytes);
    else if (name == "viewport") is_good = once(&word.has_viewport) && in.whole(&word.viewport);
    else if (name == "series") is_good = once(&word.has_series) && in.whole(&word.series);
    else if (name == "position") is_good = once(&word.has_position) && in.whole(&word.position);
    else if (name == "width") is_good = once(&word.has_width) && in.whole(&word.width);
    else if (name == "height") is_good = once(&word.has_height) && in.whole(&word.height);
    else if (name == "direction") is_good = once(&word.has_direction) && in.whole(&word.direction);
    else if (name == "velocity") is_good = once(&word.has_velocity) && in.real(&word.velocity);
    else if (name == "loop") is_good = once(&word.has_loop) && in.truth(&word.is_loop);
    if (!is_good) return none;
  } while (in.take(','));
  if (!in.take('}') || !in.is_over()) return none;
  const bool is_look = kind == "look" && word.has_viewport && word.has_series;
  const bool is_got = kind == "got" && word.has_bytes;
  word.kind = is_look ? PlainWord::Kind::kLook : is_got ? PlainWord::Kind::kGot : PlainWord::Kind::kNone;
  return word;
}

}  // namespace voxcast

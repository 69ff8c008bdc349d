// What a scan needs of a data set's elements, gathered while the walker goes over them; only scan.cpp includes this.
#pragma once
#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <cstring>

#include "json.hpp"
#include "scan.hpp"

namespace voxcast {
namespace {

constexpr size_t kIndexValueMax = 16 * 1024;  // longer values are no use as search keys

std::string trimmed(const uint8_t* p, size_t n) {
  while (n > 0 && (p[n - 1] == ' ' || p[n - 1] == 0)) --n;
  while (n > 0 && *p == ' ') ++p, --n;
  return std::string(reinterpret_cast<const char*>(p), n);
}

std::vector<std::string> components(const std::string& value) {
  std::vector<std::string> out;
  if (value.empty()) return out;
  for (size_t at = 0;;) {
    const size_t stop = std::min(value.find('\\', at), value.size());
    out.push_back(trimmed(reinterpret_cast<const uint8_t*>(value.data()) + at, stop - at));
    if (stop == value.size()) return out;
    at = stop + 1;
  }
}

// One decimal string between its padding; strtod would ask the process's locale what a decimal point is.
bool as_double(const char* p, const char* end, double& out) {
  while (p < end && *p == ' ') ++p;
  while (end > p && (end[-1] == ' ' || end[-1] == 0)) --end;
  if (p < end && *p == '+') ++p;
  const auto [stop, error] = std::from_chars(p, end, out);
  return error == std::errc() && stop == end && p < end && out - out == 0;
}

// Collects what `Scan` needs while the walker goes over the data set.
class Collector {
 public:
  Collector(Source& source, const std::vector<IndexTag>& tags, const Limits& limits, const Hooks& hooks, Scan& out)
      : source_(source), tags_(tags), limits_(limits), charset_(&hooks.decode_text), out_(out) {
    for (int level = 0; level < 4; ++level) {
      members_[level].reserve(24);
      out.json[level].reserve(1536);
      out.json[level] = "{";
    }
  }

  bool sequence(const Element& e, unsigned depth) {
    if (depth == 0) {
      switch (e.tag) {
        case 0x00283000: out_.pixels.has_modality_lut = e.length != 0; break;
        case 0x00283010: out_.pixels.has_voi_lut = e.length != 0; break;
        case 0x20500010: out_.pixels.has_presentation_lut = e.length != 0; break;
        case 0x00409096: note_real_world_values(e); break;
        default: break;
      }
      if (const IndexTag* tag = find(e.tag)) {
        std::string& json = begin_member(*tag);
        append_json_sequence(json, source_, e, limits_, charset_, pixels_signed(), json_defects_);
        json += '}';
      }
      if (e.tag != kSharedGroups && e.tag != kPerFrameGroups && e.tag != kOpticalPaths) return false;
      group_ = e.tag;
      return true;
    }
    if (depth == 1) {
      if (e.tag == 0x00409096) note_real_world_values(e);
      return e.tag == 0x00289145 || e.tag == 0x00289132 || e.tag == 0x00289110;
    }
    if (depth == 2 && e.tag == 0x00283010 && e.length != 0) out_.pixels.has_voi_lut = true;
    return false;
  }
  void sequence_end(const Element& e, unsigned depth, bool damaged) {
    if (damaged) defect("sequence-damaged", e.tag);
    if (depth == 0) group_ = 0;
  }
  void item(uint32_t index, unsigned depth) {
    if (depth != 0) return;
    frame_ = index;
    rescale_ = {};
    window_ = {};
    spacing_ = {};
  }
  void item_end(unsigned depth) {
    if (depth != 0) return;
    if (group_ == kSharedGroups) {
      shared_rescale_ = rescale_;
      shared_window_ = window_;
      shared_spacing_ = spacing_;
    } else if (group_ == kPerFrameGroups && per_frame_rescale_.size() < limits_.frames_max) {
      any_frame_rescale_ = any_frame_rescale_ || rescale_.is_set;
      any_frame_window_ = any_frame_window_ || window_.is_set();
      any_frame_spacing_ = any_frame_spacing_ || is_set(spacing_);
      per_frame_rescale_.push_back(std::move(rescale_));
      per_frame_window_.push_back(std::move(window_));
      per_frame_spacing_.push_back(spacing_);
    }
  }

  bool value(const Element& e, unsigned depth) {
    if (depth == 2) return functional_group(e);
    if (depth == 1 && group_ == kOpticalPaths && e.tag == kIccProfile) out_.pixels.has_icc_profile = e.length != 0;
    if (depth != 0) return true;
    if (e.tag >= kFloatPixelData && (e.tag == kPixelData || e.tag == kFloatPixelData || e.tag == kDoublePixelData)) {
      pixel_element_ = e;
      out_.pixels.keyword = e.tag;
      behind_pixels_ = 0;
      return true;
    }
    if (pixel_element_.tag != 0 && e.tag != 0xFFFCFFFC) ++behind_pixels_;
    if (e.length == kUndefined) return true;
    describe(e);
    if (const IndexTag* tag = find(e.tag)) {
      if (e.length > kIndexValueMax) {
        defect("index-value-long", e.tag);
        return true;
      }
      std::string& json = begin_member(*tag);
      const bool text_before = json_defects_.text, number_before = json_defects_.number;
      append_json_value(json, e, source_.at(e.at, e.length), pixels_signed(), charset_, json_defects_);
      json += '}';
      if (json_defects_.text && !text_before) defect("text-undecodable", e.tag);
      if (json_defects_.number && !number_before) defect("number-invalid", e.tag);
    }
    return true;
  }

  // Behind the walk: puts together what came in pieces.
  void finish() {
    Scan& s = out_;
    for (int level = 0; level < 4; ++level) {
      sort_json_members(s.json[level], 1, members_[level]);
      s.json[level] += '}';
    }
    PixelValues& p = s.pixels;
    // Groups are meant by position, whatever their number: a frame without one has what is meant for all.
    const auto frames = static_cast<size_t>(std::max<int64_t>(p.number_of_frames, 1));
    const size_t groups = per_frame_rescale_.size();
    if (groups != 0 && groups != frames) {
      defect("functional-groups-wrong", 0x52009230);
      if (frames <= kPaddedFramesMax) {
        per_frame_rescale_.resize(frames);
        per_frame_window_.resize(frames);
        per_frame_spacing_.resize(frames, Spacing{});
      } else {  // a number of frames that few groups do not speak for is not worth the memory
        any_frame_rescale_ = any_frame_window_ = any_frame_spacing_ = false;
      }
    }
    settle(any_frame_rescale_, per_frame_rescale_, shared_rescale_.is_set ? shared_rescale_ : rescale_top_, [](const RescaleValues& r) { return r.is_set; }, p.rescales);
    settle(any_frame_window_, per_frame_window_, shared_window_.is_set() ? shared_window_ : window_top_, [](const WindowValues& w) { return w.is_set(); }, p.windows);
    settle(any_frame_spacing_, per_frame_spacing_, is_set(shared_spacing_) ? shared_spacing_ : top_spacing(), is_set, p.spacings);
    const auto& of = p.spacings;
    if (std::all_of(of.begin(), of.end(), [&](const Spacing& one) { return one == of[0]; })) p.spacings.resize(std::min<size_t>(of.size(), 1));
  }

  const Element& pixel_element() const { return pixel_element_; }
  bool has_more_behind_pixels() const { return behind_pixels_ > 0; }
  std::vector<uint64_t> extended_offsets, extended_lengths;
  bool has_rows = false, has_columns = false, has_bits = false;

  void defect(const char* code, uint32_t tag) {
    std::string detail;
    append_json_tag(detail, tag);
    out_.defects.emplace_back(code, detail.substr(1, 8));
  }
  const JsonDefects& json_defects() const { return json_defects_; }

 private:
  using Spacing = std::array<double, 2>;
  static constexpr uint32_t kSharedGroups = 0x52009229, kPerFrameGroups = 0x52009230, kOpticalPaths = 0x00480105, kIccProfile = 0x00282000;

  static constexpr size_t kPaddedFramesMax = 65536;

  // One value for each frame where any has its own, one for all where that is set, else none.
  template <class Value, class IsSet>
  static void settle(bool is_any, std::vector<Value>& own, const Value& for_all, IsSet is_set, std::vector<Value>& out) {
    if (is_any) {
      for (Value& value : own)
        if (!is_set(value)) value = for_all;
      out = std::move(own);
    } else if (is_set(for_all)) {
      out.push_back(for_all);
    }
  }

  static bool is_set(const Spacing& s) { return s[0] > 0; }
  // PS3.3 10.7.1.3: Pixel Spacing is the calibrated one; the detector's and the film scanner's stand in for it.
  const Spacing& top_spacing() const { return is_set(spacing_top_) ? spacing_top_ : is_set(spacing_imager_) ? spacing_imager_ : spacing_scanned_; }
  void note_real_world_values(const Element& e) { out_.pixels.has_real_world_values = out_.pixels.has_real_world_values || e.length != 0; }
  void spacing(const Element& e, Spacing& into) {
    if (const auto v = numbers(e); v.size() == 2 && v[0] > 0 && v[1] > 0) into = {v[0], v[1]};
  }
  const IndexTag* find(uint32_t tag) const {
    const auto at = std::lower_bound(tags_.begin(), tags_.end(), tag, [](const IndexTag& a, uint32_t t) { return a.tag < t; });
    return at != tags_.end() && at->tag == tag ? &*at : nullptr;
  }
  std::string& begin_member(const IndexTag& tag) {
    std::string& json = out_.json[tag.level];
    if (!members_[tag.level].empty()) json += ',';
    members_[tag.level].emplace_back(tag.tag, json.size());
    append_json_tag(json, tag.tag);
    json += '{';
    return json;
  }
  bool pixels_signed() const { return out_.pixels.pixel_representation == 1; }

  size_t padding_off(const Element& e) {
    const uint8_t* p = source_.at(e.at, e.length);
    size_t n = e.length;
    while (n > 0 && (p[n - 1] == ' ' || p[n - 1] == 0)) --n;
    return n;
  }
  std::string text(const Element& e) { return e.length > kIndexValueMax ? std::string() : trimmed(source_.at(e.at, e.length), e.length); }
  std::string utf8(const Element& e) {
    const std::string raw = text(e);
    std::string out;
    charset_.append(out, raw.data(), raw.size());
    return out;
  }
  uint32_t u16(const Element& e) {
    if (e.vr == vr::IS || e.vr == vr::DS) return static_cast<uint32_t>(std::atoi(text(e).c_str()));
    if (e.length == 4 && e.vr == vr::UL) return read32(source_.at(e.at, 4), e.encoding.is_big_endian);
    return e.length >= 2 ? read16(source_.at(e.at, 2), e.encoding.is_big_endian) : 0;
  }
  std::optional<int64_t> pixel_value(const Element& e) {
    if (e.length < 2) return std::nullopt;
    const uint16_t v = read16(source_.at(e.at, 2), e.encoding.is_big_endian);
    if (pixels_signed()) return static_cast<int16_t>(v);
    return v;
  }
  std::vector<double> numbers(const Element& e) {
    std::vector<double> out;
    if (e.vr == vr::FD || e.vr == vr::FL) {
      const size_t size = e.vr == vr::FD ? 8 : 4;
      for (size_t i = 0; i + size <= e.length && i < 64 * size; i += size) {
        const uint8_t* p = source_.at(e.at + i, size);
        if (size == 8) {
          const uint64_t bits = read64(p, e.encoding.is_big_endian);
          double v;
          std::memcpy(&v, &bits, 8);
          out.push_back(v);
        } else {
          const uint32_t bits = read32(p, e.encoding.is_big_endian);
          float v;
          std::memcpy(&v, &bits, 4);
          out.push_back(v);
        }
      }
      return out;
    }
    const size_t n = e.length > kIndexValueMax ? 0 : padding_off(e);
    if (n == 0) return out;
    const char* p = reinterpret_cast<const char*>(source_.at(e.at, e.length));
    for (const char* const end = p + n;;) {
      const char* stop = std::find(p, end, '\\');
      double v;
      if (!as_double(p, stop, v)) {
        defect("number-invalid", e.tag);
        return {};
      }
      out.push_back(v);
      if (stop == end) return out;
      p = stop + 1;
    }
  }

  void rescale_or_window(const Element& e, RescaleValues& rescale, WindowValues& window) {
    switch (e.tag) {
      case 0x00281052:
        if (const auto v = numbers(e); !v.empty()) rescale.intercept = v[0], rescale.is_set = true;
        break;
      case 0x00281053:
        if (const auto v = numbers(e); !v.empty()) {
          if (v[0] != 0) rescale.slope = v[0], rescale.is_set = true;
          else defect("rescale-slope-zero", e.tag);
        }
        break;
      case 0x00281054: rescale.type = utf8(e); break;
      case 0x00281050: window.centers = numbers(e); break;
      case 0x00281051: window.widths = numbers(e); break;
      case 0x00281055: window.explanations = components(utf8(e)); break;
      case 0x00281056: window.function = text(e); break;
      default: break;
    }
  }

  bool functional_group(const Element& e) {
    if (e.length == kUndefined || (e.tag >> 16) != 0x0028) return true;
    if (e.tag == 0x00280030) spacing(e, spacing_);
    else rescale_or_window(e, rescale_, window_);
    return true;
  }

  void describe(const Element& e) {
    Scan& s = out_;
    PixelValues& p = s.pixels;
    switch (e.tag) {
      case 0x00080005: charset_.set(text(e)); break;
      case 0x00080016: s.sop_class_uid = text(e); break;
      case 0x00080018: s.sop_instance_uid = text(e); break;
      case 0x00080060: p.modality = text(e); break;
      case 0x00089205: p.pixel_presentation = text(e); break;
      case 0x00181164: spacing(e, spacing_imager_); break;
      case 0x00182010: spacing(e, spacing_scanned_); break;
      case 0x0020000D: s.study_instance_uid = text(e); break;
      case 0x0020000E: s.series_instance_uid = text(e); break;
      case 0x00200013: {
        const std::string v = text(e);
        if (!v.empty()) s.geometry.instance_number = std::strtoll(v.c_str(), nullptr, 10);
        break;
      }
      case 0x00200032: s.geometry.position = numbers(e); break;
      case 0x00200037: s.geometry.orientation = numbers(e); break;
      case 0x20500020: p.presentation_lut_shape = text(e); break;
      case 0x7FE00001: extended_offsets = table(e); break;
      case 0x7FE00002: extended_lengths = table(e); break;
      default: break;
    }
    if ((e.tag >> 16) == 0x0028) describe_pixels(e, p);
    // Overlay Rows also where the bits are inside the pixel cells and there is no Overlay Data (PS3.5 8.1.2).
    if ((e.tag & 0xFF01FFFF) == 0x60003000 || (e.tag & 0xFF01FFFF) == 0x60000010) p.has_overlay = true;
  }

  void describe_pixels(const Element& e, PixelValues& p) {
    switch (e.tag & 0xFFFF) {
      case 0x0002: p.samples_per_pixel = u16(e); break;
      case 0x0004: p.photometric_interpretation = text(e); break;
      case 0x0006: p.planar_configuration = u16(e); break;
      case 0x0008: {
        const std::string v = text(e);
        if (!v.empty()) p.number_of_frames = std::strtoll(v.c_str(), nullptr, 10);
        break;
      }
      case 0x0010: p.rows = u16(e), has_rows = e.length > 0; break;
      case 0x0011: p.columns = u16(e), has_columns = e.length > 0; break;
      case 0x0030: spacing(e, spacing_top_); break;
      case 0x0034:
        if (const auto v = numbers(e); v.size() == 2 && v[0] > 0 && v[1] > 0) p.aspect_vertical = v[0], p.aspect_horizontal = v[1];
        break;
      case 0x0100: p.bits_allocated = u16(e), has_bits = e.length > 0; break;
      case 0x0101: p.bits_stored = u16(e); break;
      case 0x0102: p.high_bit = u16(e), has_high_bit_ = true; break;
      case 0x0103: p.pixel_representation = u16(e); break;
      case 0x0106: p.smallest = pixel_value(e); break;
      case 0x0107: p.largest = pixel_value(e); break;
      case 0x0120: p.padding_value = pixel_value(e); break;
      case 0x0121: p.padding_limit = pixel_value(e); break;
      case 0x0122:
      case 0x0123:
        if (const auto v = numbers(e); !v.empty()) p.float_padding_value = v[0];
        break;
      case 0x0124:
      case 0x0125:
        if (const auto v = numbers(e); !v.empty()) p.float_padding_limit = v[0];
        break;
      case 0x1101: p.has_palette = true; break;
      case 0x2000: p.has_icc_profile = e.length != 0; break;
      default: rescale_or_window(e, rescale_top_, window_top_);
    }
  }

  std::vector<uint64_t> table(const Element& e) {
    if (e.length / 8 > limits_.frames_max) throw ScanError(Fault::too_large, "frames_max", e.length / 8, limits_.frames_max);
    std::vector<uint64_t> out;
    out.reserve(e.length / 8);
    for (uint64_t i = 0; i + 8 <= e.length; i += 8) out.push_back(read64(source_.at(e.at + i, 8), e.encoding.is_big_endian));
    return out;
  }

  Source& source_;
  const std::vector<IndexTag>& tags_;
  const Limits& limits_;
  Charset charset_;
  Scan& out_;
  JsonDefects json_defects_;
  Members members_[4];
  Element pixel_element_;
  uint64_t behind_pixels_ = 0;
  uint32_t group_ = 0, frame_ = 0;
  bool has_high_bit_ = false, any_frame_rescale_ = false, any_frame_window_ = false, any_frame_spacing_ = false;
  RescaleValues rescale_, rescale_top_, shared_rescale_;
  WindowValues window_, window_top_, shared_window_;
  std::vector<RescaleValues> per_frame_rescale_;
  std::vector<WindowValues> per_frame_window_;
  Spacing spacing_{}, spacing_top_{}, spacing_imager_{}, spacing_scanned_{}, shared_spacing_{};
  std::vector<Spacing> per_frame_spacing_;
};

}  // namespace
}  // namespace voxcast

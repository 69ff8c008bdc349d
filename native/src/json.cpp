#include "json.hpp"

namespace voxcast {
namespace {

constexpr size_t kTextInlineMax = 1 << 20;

// Writes JSON while the walker goes over a data set; one frame of `levels_` per data set that is open.
class JsonVisitor {
 public:
  JsonVisitor(std::string& out, Source& source, const Limits& limits, const JsonOptions& options, Charset charset,
              bool pixels_are_signed, JsonDefects& defects)
      : out_(out), source_(source), limits_(limits), options_(options), defects_(defects) {
    open(std::move(charset), pixels_are_signed);
  }

  void close_data_set() { close(); }
  // The walk ended inside a sequence that cannot be read: it is shown empty.
  void abandon() {
    defects_.sequence = true;
    if (!sequence_at_.empty()) sequence_end(Element{}, 0, true);
  }
  Charset& charset() { return levels_.back().charset; }
  void add(uint32_t tag, const std::string& member) { chunk(tag); out_ += member; out_ += '}'; }

  bool sequence(const Element& e, unsigned) {
    chunk(e.tag);
    append_json_vr(out_, vr::SQ);
    sequence_at_.push_back(out_.size());
    path_.push_back({e.tag, 0});
    out_ += ",\"Value\":[";
    return true;
  }
  void item(uint32_t index, unsigned) {
    path_.back().second = index;
    if (index != 0) out_ += ',';
    const Level& outer = levels_.back();
    open(outer.charset, outer.pixels_are_signed);
  }
  void item_end(unsigned) { close(); }
  void sequence_end(const Element&, unsigned depth, bool damaged) {
    while (levels_.size() > depth + 1) levels_.pop_back();
    sequence_at_.resize(depth + 1);
    path_.resize(depth + 1);
    const size_t start = sequence_at_.back();
    if (damaged) {
      defects_.sequence = true;
      out_.resize(start);
    } else if (out_.back() == '[') {
      out_.resize(start);  // no items: no Value
    } else {
      out_ += ']';
    }
    sequence_at_.pop_back();
    path_.pop_back();
    out_ += '}';
  }

  bool value(const Element& raw, unsigned depth) {
    if ((raw.tag & 0xFFFF) == 0 || raw.tag == 0xFFFCFFFC) return true;  // group lengths, trailing padding
    Element e = raw;
    Level& level = levels_.back();
    e.vr = settled_vr(e.vr, level.pixels_are_signed);
    const bool is_pixels = depth == 0 && (e.tag == kPixelData || e.tag == kFloatPixelData || e.tag == kDoublePixelData);
    const bool is_bulk = (is_pixels && e.length > 0) || e.has_fragments() || e.length > (is_string_vr(e.vr) ? kTextInlineMax : limits_.json_value_bytes_max);
    chunk(e.tag);
    if (is_bulk) {
      append_json_vr(out_, e.vr);
      out_ += ",\"BulkDataURI\":";
      append_json_string(out_, uri(e.tag));
    } else {
      const uint8_t* p = source_.at(e.at, e.length);
      if (e.tag == 0x00080005) level.charset.set(trimmed(p, e.length));
      if (e.tag == 0x00280103 && e.length >= 2) level.pixels_are_signed = read16(p, e.encoding.is_big_endian) == 1;
      append_json_value(out_, e, p, level.pixels_are_signed, level.charset, defects_);
    }
    out_ += '}';
    return true;
  }

 private:
  struct Level {
    size_t start;
    Charset charset;
    bool pixels_are_signed;
    Members chunks;
  };

  static std::string trimmed(const uint8_t* p, size_t n) {
    while (n > 0 && (p[n - 1] == ' ' || p[n - 1] == 0)) --n;
    return std::string(reinterpret_cast<const char*>(p), n);
  }

  void open(Charset charset, bool pixels_are_signed) {
    out_ += '{';
    levels_.push_back({out_.size(), std::move(charset), pixels_are_signed, {}});
  }
  void chunk(uint32_t tag) {
    Level& level = levels_.back();
    if (!level.chunks.empty()) out_ += ',';
    level.chunks.emplace_back(tag, out_.size());
    append_json_tag(out_, tag);
    out_ += '{';
  }
  void close() {
    sort_json_members(out_, levels_.back().start, levels_.back().chunks);
    out_ += '}';
    levels_.pop_back();
  }
  std::string uri(uint32_t tag) const {
    std::string text = options_.bulk_data_uri;
    for (const auto& [outer, index] : path_) {
      text += '/';
      append_hex32(text, outer);
      text += '/';
      text += std::to_string(index);
    }
    text += '/';
    append_hex32(text, tag);
    return text;
  }

  std::string& out_;
  Source& source_;
  const Limits& limits_;
  const JsonOptions& options_;
  JsonDefects& defects_;
  std::vector<Level> levels_;
  std::vector<size_t> sequence_at_;
  std::vector<std::pair<uint32_t, uint32_t>> path_;
};

}  // namespace

std::string data_set_json(Source& source, uint64_t at, Encoding encoding, const Limits& limits, const TextDecoder& decoder,
                          const JsonOptions& options, JsonDefects& defects) {
  std::string out;
  out.reserve(16 * 1024);
  JsonVisitor visitor(out, source, limits, options, Charset(&decoder), false, defects);
  Walker<JsonVisitor> walker(source, limits, visitor);
  try {
    walker.walk(at, encoding, options.is_prefix);
  } catch (const ScanError& error) {
    if (error.fault != Fault::malformed) throw;
    visitor.abandon();  // the scan has noted the defect; what was readable is shown
  }
  if (!options.transfer_syntax.empty()) {
    std::string member = "\"vr\":\"UI\",\"Value\":[";
    std::string uid;
    append_unnamed(uid, options.transfer_syntax.data(), options.transfer_syntax.size());
    append_json_string(member, uid);
    visitor.add(0x00083002, member + "]");
  }
  visitor.close_data_set();
  return out;
}

void append_json_sequence(std::string& out, Source& source, const Element& e, const Limits& limits, const Charset& charset,
                          bool pixels_are_signed, JsonDefects& defects) {
  std::string text;
  const JsonOptions options;
  JsonVisitor visitor(text, source, limits, options, charset, pixels_are_signed, defects);
  Walker<JsonVisitor> walker(source, limits, visitor);
  try {
    walker.walk_sequence(e);
  } catch (const ScanError& error) {
    if (error.fault != Fault::malformed) throw;
    visitor.abandon();
  }
  const size_t open = sizeof "{\"00000000\":{" - 1;  // text is {"tag":{…} and nothing else
  out.append(text, open, text.size() - open - 1);
}

}  // namespace voxcast

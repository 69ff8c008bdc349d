#include "scan.hpp"

#include "collector.hpp"
#include "frames.hpp"

namespace voxcast {
namespace {

constexpr uint32_t kSideMax = 1 << 20;  // US ends at 65535; products of what is not US must not wrap

// The header's claims about the pixels, as far as they make sense together (PS3.5 section 8, PS3.3 C.7.6.3).
bool make_sense(const PixelValues& p, const Collector& c) {
  const bool bits_ok = p.bits_allocated == 1 || p.bits_allocated == 8 || p.bits_allocated == 12 || p.bits_allocated == 16 ||
                       p.bits_allocated == 24 || p.bits_allocated == 32 || p.bits_allocated == 64;
  return c.has_rows && c.has_columns && c.has_bits && p.rows - 1 < kSideMax && p.columns - 1 < kSideMax && bits_ok && p.number_of_frames > 0 &&
         p.samples_per_pixel > 0 && p.samples_per_pixel <= 4 && p.pixel_representation <= 1 && p.planar_configuration <= 1;
}

// 1.2.840.10008.1.2.4.100 to .4.108, and their fragmentable siblings (PS3.5 A.4.5 to A.4.9).
bool is_video(const std::string& uid) {
  constexpr char kRoot[] = "1.2.840.10008.1.2.4.10";
  constexpr size_t n = sizeof kRoot - 1;
  return uid.compare(0, n, kRoot) == 0 && uid.size() > n && uid[n] >= '0' && uid[n] <= '8' && (uid.size() == n + 1 || uid.compare(n + 1, std::string::npos, ".1") == 0);
}

}  // namespace

Scan scan(Source& file, const std::vector<IndexTag>& tags, const Limits& limits, const Hooks& hooks) {
  Scan out;
  DataSet data_set(file, limits, hooks);
  Source& source = data_set.source();
  const Part10& outside = data_set.outside;
  for (const std::string& code : outside.defects) out.defects.emplace_back(code, "");
  out.transfer_syntax_uid = outside.transfer_syntax_uid;
  out.data_set_at = outside.data_set_at;

  Collector collector(source, tags, limits, hooks, out);
  Walker<Collector> walker(source, limits, collector);
  bool is_damaged = false;
  try {
    walker.walk(data_set.at(), outside.encoding, false);
  } catch (const ScanError& error) {
    // Where the structure breaks, what was read so far still names the instance; bytes that are missing do not come back.
    if (error.fault != Fault::malformed || out.sop_instance_uid.empty()) throw;
    is_damaged = true;
    out.defects.emplace_back("data-set-damaged", std::to_string(error.first));
  }
  collector.finish();
  if (walker.trailing_bytes() > 0) out.defects.emplace_back("trailing-bytes", std::to_string(walker.trailing_bytes()));
  if (out.sop_instance_uid.empty() && !outside.sop_instance_uid.empty() && outside.sop_class_uid != "1.2.840.10008.1.3.10") {
    out.sop_instance_uid = outside.sop_instance_uid;
    out.defects.emplace_back("no-sop-instance-uid", "");
  }
  if (out.sop_class_uid.empty()) {
    out.sop_class_uid = outside.sop_class_uid;
    out.defects.emplace_back("no-sop-class-uid", "");
  }
  // A DICOMDIR describes other files; it is no instance (PS3.3 F). Anything else without a UID gets one from the caller.
  if (outside.sop_class_uid == "1.2.840.10008.1.3.10") throw ScanError(Fault::missing_uid, "SOPInstanceUID");

  PixelValues& p = out.pixels;
  const Element& e = collector.pixel_element();
  out.header_length = file.size();
  if (e.tag == 0) return out;
  // Attributes behind the pixels are part of the metadata, which is then the whole stream.
  if (!outside.is_deflated && !collector.has_more_behind_pixels() && !is_damaged) out.header_length = e.at;
  if (p.keyword != kPixelData && p.bits_allocated == 0) p.bits_allocated = p.keyword == kFloatPixelData ? 32 : 64, collector.has_bits = true;
  if (p.bits_stored == 0 || p.bits_stored > p.bits_allocated) p.bits_stored = p.bits_allocated;
  if (p.high_bit < p.bits_stored - (p.bits_stored > 0) || p.high_bit >= p.bits_allocated) p.high_bit = p.bits_stored > 0 ? p.bits_stored - 1 : 0;
  if (!make_sense(p, collector)) {
    out.defects.emplace_back("pixels-not-described", "");
    return out;
  }
  FrameTable table;
  const auto frames = static_cast<uint64_t>(p.number_of_frames);
  if (e.length == kUndefined) {
    if (outside.is_deflated) {  // fragments are for compressed frames; what this is meant to be nobody says (PS3.5 A.5)
      out.defects.emplace_back("pixels-not-described", "");
      return out;
    }
    EncapsulatedPixels pixels{e.at, frames, is_video(outside.transfer_syntax_uid), std::move(collector.extended_offsets), std::move(collector.extended_lengths)};
    uint64_t end = 0;
    table = encapsulated_frames(source, pixels, limits, end);
  } else if (outside.is_encapsulated && !outside.is_deflated) {
    out.defects.emplace_back("encapsulated-without-fragments", "");
    return out;
  } else {
    const uint64_t pixels = uint64_t(p.rows) * p.columns, bits = uint64_t(e.length) * 8;
    uint64_t samples = p.samples_per_pixel;
    const bool is_full = p.photometric_interpretation == "YBR_FULL_422", is_partial = p.photometric_interpretation == "YBR_PARTIAL_422";
    if ((is_full || is_partial) && samples == 3) {
      if (bits / p.bits_allocated / pixels / samples >= frames) {
        p.photometric_interpretation = is_full ? "YBR_FULL" : "YBR_PARTIAL";  // every pixel has its own chrominance whatever the name says
        out.defects.emplace_back("chrominance-not-subsampled", "");
      } else {
        samples = 2;
      }
    }
    uint64_t stride = pixels * samples * p.bits_allocated;
    p.has_swapped_bytes = e.encoding.is_big_endian && e.vr == vr::OW && p.bits_allocated <= 8;
    if (p.has_swapped_bytes && frames == 1 && bits >= stride) stride = (stride + 15) / 16 * 16;  // whole words
    table = native_frames({e.at, e.length, stride, frames, outside.is_deflated, outside.data_set_at, file.size() - outside.data_set_at}, limits);
  }
  for (const std::string& code : table.defects) out.defects.emplace_back(code, "");
  if (table.packed.empty()) return out;
  out.has_description = true;
  out.frame_table = std::move(table.packed);
  return out;
}

std::string part10_json(Source& file, const Limits& limits, const Hooks& hooks, const std::string& bulk_data_uri, bool is_prefix) {
  DataSet data_set(file, limits, hooks);
  const JsonOptions options{bulk_data_uri, data_set.outside.transfer_syntax_uid, is_prefix};
  JsonDefects defects;
  return data_set_json(data_set.source(), data_set.at(), data_set.outside.encoding, limits, hooks.decode_text, options, defects);
}

}  // namespace voxcast

// One pass over an instance: index values, pixel description, frame table, defects.
#pragma once
#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "data_set.hpp"
#include "limits.hpp"
#include "source.hpp"

namespace voxcast {

// The attributes that the index keeps, in tag order, each with its level: 0 patient, 1 study, 2 series, 3 instance.
struct IndexTag {
  uint32_t tag;
  int level;
};

struct RescaleValues {
  double slope = 1, intercept = 0;
  std::string type;
  bool is_set = false;
};
struct WindowValues {
  std::vector<double> centers, widths;
  std::vector<std::string> explanations;
  std::string function;
  bool is_set() const { return !centers.empty() && !widths.empty(); }
};

struct PixelValues {
  uint32_t rows = 0, columns = 0;
  int64_t number_of_frames = 1;
  uint32_t samples_per_pixel = 1, bits_allocated = 0, bits_stored = 0, high_bit = 0, pixel_representation = 0, planar_configuration = 0;
  std::string photometric_interpretation, presentation_lut_shape, pixel_presentation, modality;
  uint32_t keyword = 0;  // the tag of the element that holds the pixels; 0 without pixels
  std::vector<RescaleValues> rescales;
  std::vector<WindowValues> windows;
  std::vector<std::array<double, 2>> spacings;  // between rows, between columns; one for all, or one per frame
  std::optional<int64_t> padding_value, padding_limit, smallest, largest;
  std::optional<double> float_padding_value, float_padding_limit;  // of Float and Double Float Pixel Data
  bool has_modality_lut = false, has_voi_lut = false, has_presentation_lut = false, has_palette = false, has_overlay = false;
  bool has_icc_profile = false, has_real_world_values = false;
  bool has_swapped_bytes = false;  // 8-bit cells inside big endian 16-bit words (PS3.5 8.1.1, annex D)
  double aspect_vertical = 1, aspect_horizontal = 1;
};

struct Geometry {
  std::vector<double> orientation, position;  // (0020,0037), (0020,0032): six and three values, or none
  std::optional<int64_t> instance_number;
};

struct Scan {
  std::string transfer_syntax_uid, sop_class_uid, sop_instance_uid, study_instance_uid, series_instance_uid;
  uint64_t data_set_at = 0, header_length = 0;
  std::string json[4];
  bool has_description = false;
  PixelValues pixels;
  std::string frame_table;
  Geometry geometry;
  std::vector<std::pair<std::string, std::string>> defects;  // code, detail
};

Scan scan(Source& source, const std::vector<IndexTag>& tags, const Limits& limits, const Hooks& hooks);

// DICOM JSON of the whole data set (PS3.18 F); see data_set_json.
std::string part10_json(Source& source, const Limits& limits, const Hooks& hooks, const std::string& bulk_data_uri, bool is_prefix);

}  // namespace voxcast

// engine._native: thin bindings; every error leaves as ScanError(kind, message, first, second).
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>
#include <nanobind/stl/pair.h>

#include "buffers.hpp"
#include "locate.hpp"
#include "scan.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

nb::str text(const std::string& s) {
  // UIDs, codes and defined terms should be ASCII; what is not is shown escaped, never a decoding error.
  PyObject* o = PyUnicode_DecodeUTF8(s.data(), static_cast<Py_ssize_t>(s.size()), "backslashreplace");
  if (o == nullptr) throw nb::python_error();
  return nb::steal<nb::str>(o);
}
nb::bytes bytes(const std::string& s) { return nb::bytes(s.data(), s.size()); }
nb::object padding(const std::optional<int64_t>& whole, const std::optional<double>& real) {
  return real ? nb::object(nb::float_(*real)) : whole ? nb::object(nb::int_(*whole)) : nb::none();
}
nb::object optional_int(const std::optional<int64_t>& v) { return v ? nb::object(nb::int_(*v)) : nb::none(); }

class Scanner {
 public:
  Scanner(const std::vector<std::pair<uint32_t, int>>& tags, const std::vector<uint64_t>& limits, nb::callable decode, nb::callable inflate)
      : decode_(std::move(decode)), inflate_(std::move(inflate)) {
    for (const auto& [tag, level] : tags) {
      if (level < 0 || level > 3) throw nb::value_error("level is 0 to 3");
      tags_.push_back({tag, level});
    }
    if (limits.size() != 6) throw nb::value_error("six limits");
    limits_ = {limits[0], limits[1], limits[2], limits[3], limits[4], limits[5]};
    hooks_.decode_text = [this](const std::string& charset, const char* raw, size_t n, bool is_name, bool* ok) {
      nb::gil_scoped_acquire gil;
      const auto answer = nb::cast<nb::tuple>(decode_(bytes(charset), nb::bytes(raw, n), is_name));
      *ok = nb::cast<bool>(answer[1]);
      return nb::cast<std::string>(answer[0]);
    };
    hooks_.inflate = [this](const uint8_t* data, size_t n, size_t max) {
      nb::gil_scoped_acquire gil;
      const auto answer = nb::cast<nb::bytes>(inflate_(nb::bytes(reinterpret_cast<const char*>(data), n), max));
      return std::string(answer.c_str(), answer.size());
    };
  }

  nb::tuple scan(nb::handle buffer) {
    const Bytes in(buffer);
    voxcast::MemorySource source(in.data(), in.size());
    return run(source);
  }
  nb::tuple scan_file(int fd, uint64_t offset, uint64_t length) {
    voxcast::FileSource source(fd, offset, length, limits_.header_bytes_max);
    return run(source);
  }
  nb::bytes json(nb::handle buffer, const std::string& bulk_data_uri, bool is_prefix) {
    const Bytes in(buffer);
    voxcast::MemorySource source(in.data(), in.size());
    std::string out;
    {
      nb::gil_scoped_release free;
      out = voxcast::part10_json(source, limits_, hooks_, bulk_data_uri, is_prefix);
    }
    return bytes(out);
  }
  nb::object locate(int fd, uint64_t offset, uint64_t length, const std::vector<uint32_t>& path) {
    voxcast::FileSource source(fd, offset, length, limits_.header_bytes_max);
    std::optional<voxcast::Located> found;
    {
      nb::gil_scoped_release free;
      found = voxcast::locate(source, path, limits_, hooks_);
    }
    if (!found) return nb::none();
    return nb::make_tuple(found->at, found->length, found->is_encapsulated, bytes(found->bytes));
  }

 private:
  nb::tuple run(voxcast::Source& source) {
    voxcast::Scan s;
    {
      nb::gil_scoped_release free;
      s = voxcast::scan(source, tags_, limits_, hooks_);
    }
    nb::list defects;
    for (const auto& [code, detail] : s.defects) defects.append(nb::make_tuple(text(code), text(detail)));
    return nb::make_tuple(text(s.transfer_syntax_uid), text(s.sop_class_uid), text(s.sop_instance_uid), text(s.study_instance_uid),
                          text(s.series_instance_uid), s.data_set_at, s.header_length, bytes(s.json[0]), bytes(s.json[1]),
                          bytes(s.json[2]), bytes(s.json[3]), s.has_description ? nb::object(pixels(s.pixels)) : nb::none(),
                          s.has_description ? nb::object(bytes(s.frame_table)) : nb::none(), geometry(s.geometry), nb::tuple(defects));
  }
  static nb::tuple geometry(const voxcast::Geometry& g) {
    return nb::make_tuple(g.orientation, g.position, optional_int(g.instance_number));
  }
  static nb::tuple numbers(const std::vector<double>& values) {
    nb::list out;
    for (const double v : values) out.append(v);
    return nb::tuple(out);
  }
  // Tuples all the way down: Python keeps one description for all slices that have the same (engine/dicom/scan.py).
  static nb::tuple pixels(const voxcast::PixelValues& p) {
    nb::list rescales, windows, spacings;
    for (const auto& s : p.spacings) spacings.append(nb::make_tuple(s[0], s[1]));
    for (const auto& r : p.rescales) rescales.append(nb::make_tuple(r.slope, r.intercept, text(r.type)));
    for (const auto& w : p.windows) {
      nb::list names;
      for (const auto& name : w.explanations) names.append(text(name));
      windows.append(nb::make_tuple(numbers(w.centers), numbers(w.widths), text(w.function), nb::tuple(names)));
    }
    return nb::make_tuple(text(p.modality), p.rows, p.columns, p.number_of_frames, p.samples_per_pixel, p.bits_allocated, p.bits_stored,
                          p.high_bit, p.pixel_representation, p.planar_configuration, text(p.photometric_interpretation), p.keyword,
                          nb::tuple(rescales), nb::tuple(windows), text(p.presentation_lut_shape), padding(p.padding_value, p.float_padding_value),
                          padding(p.padding_limit, p.float_padding_limit),
                          optional_int(p.smallest), optional_int(p.largest), p.has_modality_lut, p.has_voi_lut, p.has_palette,
                          p.has_overlay, nb::make_tuple(p.aspect_vertical, p.aspect_horizontal), p.has_swapped_bytes, text(p.pixel_presentation),
                          p.has_presentation_lut, p.has_icc_profile, p.has_real_world_values, nb::tuple(spacings));
  }

  std::vector<voxcast::IndexTag> tags_;
  voxcast::Limits limits_;
  voxcast::Hooks hooks_;
  nb::callable decode_, inflate_;
};

}  // namespace

NB_MODULE(_native, m) {
  static nb::object scan_error = nb::steal<nb::object>(PyErr_NewException("engine._native.ScanError", PyExc_Exception, nullptr));
  nb::set_leak_warnings(false);  // the exception class lives as long as the module
  m.attr("ScanError") = scan_error;
  nb::register_exception_translator([](const std::exception_ptr& p, void*) {
    try {
      std::rethrow_exception(p);
    } catch (const voxcast::ScanError& e) {
      const nb::tuple args = nb::make_tuple(static_cast<int>(e.fault), text(e.what()), e.first, e.second);
      PyErr_SetObject(scan_error.ptr(), args.ptr());
    }
  });
  nb::class_<Scanner>(m, "Scanner")
      .def(nb::init<const std::vector<std::pair<uint32_t, int>>&, const std::vector<uint64_t>&, nb::callable, nb::callable>(), "tags"_a,
           "limits"_a, "decode_text"_a, "inflate"_a)
      .def("scan", &Scanner::scan, "buffer"_a)
      .def("scan_file", &Scanner::scan_file, "fd"_a, "offset"_a, "length"_a)
      .def("json", &Scanner::json, "buffer"_a, "bulk_data_uri"_a, "is_prefix"_a)
      .def("locate", &Scanner::locate, "fd"_a, "offset"_a, "length"_a, "path"_a);
  bind_codec(m);
  bind_network(m);
  bind_records(m);
}

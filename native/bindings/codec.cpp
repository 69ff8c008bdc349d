// The functions of engine._native that engine/codec stands on; what is wrong with a code stream leaves as ValueError.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include "bad_code.hpp"
#include "bits.hpp"
#include "buffers.hpp"
#include "ht_encode.hpp"
#include "jpeg_grey.hpp"
#include "planes.hpp"
#include "resolutions.hpp"
#include "rle.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

constexpr uint64_t kSideMax = uint64_t(1) << 24;  // so that no product below wraps; images end at 65535 (PS3.3 C.7.6.3.1)

voxcast::RleLayout layout(uint64_t rows, uint64_t columns, unsigned samples, unsigned item_bytes, bool is_planar, size_t have) {
  if (rows > kSideMax || columns > kSideMax || samples > 15 || item_bytes > 8) throw nb::value_error("no image has such a size");
  const voxcast::RleLayout out{rows, columns, samples, item_bytes, is_planar};
  if (out.bytes() != have) throw nb::value_error("the array has another size than the image");
  return out;
}

void rle_decode(nb::handle data, nb::handle out, uint64_t rows, uint64_t columns, unsigned samples, unsigned item_bytes, bool is_planar) {
  const Bytes in(data);
  const Room room(out);
  const voxcast::RleLayout image = layout(rows, columns, samples, item_bytes, is_planar, room.size());
  nb::gil_scoped_release free;
  voxcast::rle_decode(in.data(), in.size(), image, room.data());
}

nb::object rle_encode(nb::handle pixels, uint64_t rows, uint64_t columns, unsigned samples, unsigned item_bytes, bool is_planar) {
  const Bytes in(pixels);
  const voxcast::RleLayout image = layout(rows, columns, samples, item_bytes, is_planar, in.size());
  const uint64_t bound = voxcast::rle_bound(image);
  if (bound > UINT32_MAX) throw voxcast::BadCode("a frame of " + std::to_string(image.bytes()) + " bytes, RLE offsets have 32 bits");
  // Written where it stays: pages that the code stream does not reach are never touched.
  PyObject* out = PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(bound));
  if (out == nullptr) throw nb::python_error();
  auto owned = nb::steal<nb::object>(out);
  size_t size = 0;
  {
    uint8_t* const begin = reinterpret_cast<uint8_t*>(PyBytes_AS_STRING(out));
    nb::gil_scoped_release free;
    size = voxcast::rle_encode(in.data(), image, begin);
  }
  out = owned.release().ptr();
  if (_PyBytes_Resize(&out, static_cast<Py_ssize_t>(size)) != 0) throw nb::python_error();
  return nb::steal<nb::object>(out);
}

nb::tuple resolution_ends(nb::handle data) {
  const Bytes in(data);
  voxcast::Resolutions found;
  {
    nb::gil_scoped_release free;
    found = voxcast::resolution_ends(in.data(), in.size());
  }
  return nb::make_tuple(found.ends, found.reason);
}

nb::tuple htj2k_encode(nb::handle samples, uint64_t rows, uint64_t columns, nb::handle header, unsigned halvings) {
  const Bytes in(samples), head(header);
  if (rows > kSideMax || columns > kSideMax || rows * columns * 2 != in.size()) throw nb::value_error("the array has another size than the image");
  if (reinterpret_cast<uintptr_t>(in.data()) % 2 != 0) throw nb::value_error("samples at an odd address");
  voxcast::HtSmaller smaller{halvings};
  std::vector<uint8_t> code;
  {
    nb::gil_scoped_release free;
    code = voxcast::ht_encode(reinterpret_cast<const int16_t*>(in.data()), rows, columns, head.data(), head.size(), smaller);
  }
  return nb::make_tuple(nb::bytes(code.data(), code.size()), nb::bytes(smaller.samples.data(), smaller.samples.size() * sizeof(int32_t)));
}

void unpack_bits(nb::handle data, nb::handle out, unsigned bits, unsigned first_bit) {
  const Bytes in(data);
  const Room room(out);
  if (bits < 1 || bits > 32 || room.size() % voxcast::cell_bytes(bits) != 0) throw nb::value_error("cells of 1 to 32 bits, in 1, 2 or 4 bytes");
  nb::gil_scoped_release free;
  voxcast::unpack_bits(in.data(), in.size(), bits, first_bit, room.size() / voxcast::cell_bytes(bits), room.data());
}

void interleave_planes(nb::handle planes, nb::handle out, unsigned samples, unsigned item_bytes) {
  const Bytes in(planes);
  const Room room(out);
  const bool is_item = item_bytes == 1 || item_bytes == 2 || item_bytes == 4 || item_bytes == 8;
  if (!is_item || samples < 1 || in.size() % (uint64_t(samples) * item_bytes) != 0) throw nb::value_error("no planes of such items");
  if (room.size() != in.size()) throw nb::value_error("the array has another size than the planes");
  if (in.data() < room.data() + room.size() && room.data() < in.data() + in.size()) throw nb::value_error("planes and array overlap");
  nb::gil_scoped_release free;
  voxcast::interleave_items(in.data(), samples, in.size() / samples / item_bytes, item_bytes, room.data());
}

void check_jpeg(uint64_t rows, uint64_t columns, int quality) {
  if (!voxcast::has_jpeg_grey()) throw nb::value_error("not on this processor");
  if (rows < 1 || columns < 1 || rows > 65535 || columns > 65535) throw nb::value_error("no JPEG has such a size");
  if (quality < 1 || quality > 100) throw nb::value_error("quality is 1 to 100");
}

nb::bytes jpeg_grey(nb::handle pixels, uint64_t rows, uint64_t columns, int quality) {
  const Bytes in(pixels);
  check_jpeg(rows, columns, quality);
  if (in.size() != rows * columns) throw nb::value_error("the array has another size than the image");
  std::vector<uint8_t> out;
  {
    nb::gil_scoped_release free;
    out = voxcast::jpeg_grey(in.data(), columns, rows, quality);
  }
  return nb::bytes(out.data(), out.size());
}

using Line = std::tuple<unsigned, unsigned, bool, bool, int, int, uint16_t, uint16_t, uint16_t, uint16_t, uint16_t, uint8_t>;

nb::object jpeg_grey_cells(int file, uint64_t offset, uint64_t rows, uint64_t columns, int quality, const Line& numbers) {
  check_jpeg(rows, columns, quality);
  const auto& [left, right, is_signed, is_steep, low, high, base, whole, fraction, offset_of, floor, flip] = numbers;
  if (left > 15 || right > 15) throw nb::value_error("a cell has 16 bits");
  const voxcast::GreyLine line{left, right, is_signed, is_steep, static_cast<uint16_t>(low), static_cast<uint16_t>(high),
                               base, whole, fraction, offset_of, floor, flip};
  std::vector<uint8_t> out;
  {
    nb::gil_scoped_release free;
    out = voxcast::jpeg_grey_cells(file, offset, columns, rows, line, quality);
  }
  return out.empty() ? nb::none() : nb::object(nb::bytes(out.data(), out.size()));
}

}  // namespace

void bind_codec(nb::module_& m) {
  m.def("rle_decode", &rle_decode, "data"_a, "out"_a, "rows"_a, "columns"_a, "samples"_a, "item_bytes"_a, "is_planar"_a = false);
  m.def("rle_encode", &rle_encode, "pixels"_a, "rows"_a, "columns"_a, "samples"_a, "item_bytes"_a, "is_planar"_a = false);
  m.def("has_jpeg_grey", &voxcast::has_jpeg_grey);
  m.def("jpeg_grey", &jpeg_grey, "pixels"_a, "rows"_a, "columns"_a, "quality"_a);
  m.def("jpeg_grey_cells", &jpeg_grey_cells, "file"_a, "offset"_a, "rows"_a, "columns"_a, "quality"_a, "line"_a);
  m.def("htj2k_encode", &htj2k_encode, "samples"_a, "rows"_a, "columns"_a, "header"_a, "halvings"_a = 0);
  m.def("resolution_ends", &resolution_ends, "data"_a);
  m.def("interleave_planes", &interleave_planes, "planes"_a, "out"_a, "samples"_a, "item_bytes"_a);
  m.def("unpack_bits", &unpack_bits, "data"_a, "out"_a, "bits"_a, "first_bit"_a = 0);
}

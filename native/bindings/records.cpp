// What engine._native does for sessions of the stream, with the interpreter's lock, for nothing in it waits: PackRecords, the
// messages of some grants in one call; plain_word, what clients say all the time.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include <cstring>

#include "buffers.hpp"
#include "pack_records.hpp"
#include "words.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using voxcast::PackRecords;
using voxcast::RecordGrant;

namespace {

std::vector<int64_t> numbers(nb::handle buffer) {
  const Bytes in(buffer);
  if (in.size() % sizeof(int64_t)) throw nb::value_error("no array of 64-bit numbers");
  std::vector<int64_t> found(in.size() / sizeof(int64_t));
  std::memcpy(found.data(), in.data(), in.size());
  return found;
}

std::vector<voxcast::StreamPlace> places_of(nb::handle buffer) {
  const std::vector<int64_t> flat = numbers(buffer);
  if (flat.size() % 3) throw nb::value_error("three numbers a place");
  std::vector<voxcast::StreamPlace> places(flat.size() / 3);
  for (size_t i = 0; i < places.size(); ++i) places[i] = {flat[3 * i], flat[3 * i + 1], flat[3 * i + 2]};
  return places;
}

struct Part {
  RecordGrant grant;
  size_t size;
  nb::bytes before;  // records that say what is to be dropped
};

Part part_of(nb::handle given, const PackRecords& records) {
  const auto all = nb::cast<nb::tuple>(given);
  const auto at = [&all](size_t i) { return nb::cast<uint64_t>(all[i]); };
  const RecordGrant grant{static_cast<uint32_t>(at(0)), static_cast<uint32_t>(at(3)), static_cast<uint32_t>(at(4)),
                          static_cast<uint32_t>(at(5)), static_cast<uint8_t>(at(1)),  static_cast<uint16_t>(at(2)),
                          at(6),                        at(7)};
  return {grant, records.size(grant), nb::cast<nb::bytes>(all[8])};
}

nb::object messages(const PackRecords& records, nb::list grants, size_t message_bytes) {
  std::vector<Part> parts;
  parts.reserve(grants.size());
  for (nb::handle given : grants) {
    parts.push_back(part_of(given, records));
    if (parts.back().size == 0) return nb::none();
  }
  nb::list made;
  for (size_t begin = 0; begin < parts.size();) {
    size_t end = begin, size = 0, payload = 0;
    do {
      size += parts[end].size + parts[end].before.size();
      payload += parts[end].size - voxcast::kRecordHeadBytes;
      ++end;
    } while (end < parts.size() && payload + parts[end].size - voxcast::kRecordHeadBytes <= message_bytes);
    PyObject* const message = PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(size));
    if (message == nullptr) throw nb::python_error();
    made.append(nb::steal(message));
    auto* out = reinterpret_cast<uint8_t*>(PyBytes_AS_STRING(message));
    for (; begin < end; ++begin) {
      const Part& part = parts[begin];
      std::memcpy(out, part.before.c_str(), part.before.size());
      out += part.before.size();
      if (!records.write(part.grant, out)) return nb::none();
      out += part.size;
    }
  }
  return made;
}

// None; the bytes of a `got`; or of a `look` viewport, series, position, width, height, velocity, direction, loop (None: not said).
nb::object plain_word(std::string_view text) {
  const voxcast::PlainWord word = voxcast::plain_word(text);
  if (word.kind == voxcast::PlainWord::Kind::kGot) return nb::int_(word.bytes);
  if (word.kind != voxcast::PlainWord::Kind::kLook) return nb::none();
  const auto whole = [](bool has, int64_t value) { return has ? nb::object(nb::int_(value)) : nb::none(); };
  return nb::make_tuple(word.viewport, word.series, whole(word.has_position, word.position), whole(word.has_width, word.width),
                        whole(word.has_height, word.height), word.velocity, whole(word.has_direction, word.direction), word.is_loop);
}

}  // namespace

void bind_records(nb::module_& m) {
  m.def("plain_word", &plain_word, "text"_a);
  nb::class_<PackRecords>(m, "PackRecords")
      .def(
          "__init__",
          [](PackRecords* records, int file, size_t levels, nb::handle ends, nb::handle places) {
            new (records) PackRecords(file, levels, numbers(ends), places_of(places));
          },
          "file"_a, "levels"_a, "ends"_a, "places"_a)
      .def("messages", &messages, "grants"_a, "message_bytes"_a);
}

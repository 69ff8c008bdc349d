// What engine._native does with sockets: PduReader, a whole message of an association per call without the interpreter's lock;
// send_range and Courier, stored frames of answers, with it: letting go of the lock may cost more than the sending.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstdlib>

#include <vector>

#include "buffers.hpp"
#include "commit_mark.hpp"
#include "courier.hpp"
#include "pdu_reader.hpp"
#include "send_range.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using voxcast::CommitMark;
using voxcast::Courier;
using voxcast::PduReader;

namespace {

nb::bytes bytes(const std::string& s) { return nb::bytes(s.data(), s.size()); }

nb::object take_data(PduReader& reader) {
  size_t n = 0;
  uint8_t* data = reader.take_data(&n);
  const nb::capsule owner(data, [](void* p) noexcept { std::free(p); });
  return nb::cast(nb::ndarray<nb::memview, uint8_t, nb::ndim<1>>(data, {n}, owner));
}

nb::object send_range(int socket, nb::handle head, int file, uint64_t offset, size_t length, nb::handle tail) {
  const Bytes before(head), behind(tail);
  const voxcast::Frame around{before.data(), before.size(), behind.data(), behind.size()};
  const int64_t sent = voxcast::send_range(socket, around, file, offset, length);
  if (sent == voxcast::kNotCached) return nb::none();
  if (sent == voxcast::kFailed) {
    PyErr_SetFromErrno(PyExc_OSError);
    throw nb::python_error();
  }
  return nb::int_(sent);
}

std::string text(nb::handle buffer) {
  const Bytes in(buffer);
  return {reinterpret_cast<const char*>(in.data()), in.size()};
}

nb::tuple serve(Courier& courier, const CommitMark& mark, double seconds, int others, double patience_ms) {
  std::vector<voxcast::CourierReturn> returns;
  const voxcast::CourierAnswers answers = courier.serve(mark, seconds, others, patience_ms, returns);
  nb::list returned;
  for (const auto& one : returns) returned.append(nb::make_tuple(one.socket, bytes(one.heard), bytes(one.unsent), one.is_broken));
  return nb::make_tuple(answers.count, answers.seconds, answers.bytes, nb::cast(answers.within), returned);
}

}  // namespace

void bind_network(nb::module_& m) {
  m.def("send_range", &send_range, "socket"_a, "head"_a, "file"_a, "offset"_a, "length"_a, "tail"_a);
  nb::class_<CommitMark>(m, "CommitMark").def(nb::init<const std::string&, size_t>(), "file"_a, "page_bytes"_a).def("read", &CommitMark::read);
  nb::class_<Courier>(m, "Courier")
      .def(nb::init<std::string, std::string, size_t, std::vector<double>>(), "id"_a, "server"_a, "plans_max"_a, "limits"_a)
      .def("fileno", &Courier::descriptor)
      .def_prop_ro("lent", &Courier::lent)
      .def_prop_ro("plans", &Courier::plans)
      .def("lend", [](Courier& courier, int socket, nb::handle block, double until) { return courier.lend(socket, text(block), until); }, "socket"_a,
           "block"_a, "until"_a)
      .def("take", &Courier::take, "socket"_a)
      .def("forget", &Courier::forget)
      .def(
          "plan",
          [](Courier& courier, nb::handle request, uint64_t generation, const std::string& head, nb::handle before, nb::handle behind, int file,
             uint64_t offset, size_t length) {
            courier.plan(text(request), {head, text(before), text(behind), file, offset, length}, generation);
          },
          "request"_a, "generation"_a, "head"_a, "before"_a, "behind"_a, "file"_a, "offset"_a, "length"_a)
      .def("serve", &serve, "mark"_a, "seconds"_a, "others"_a, "patience_ms"_a);
  nb::class_<PduReader>(m, "PduReader")
      .def(nb::init<uint32_t, uint32_t, size_t, size_t>(), "pdu_bytes_max"_a, "other_bytes_max"_a, "command_bytes_max"_a, "piece_bytes_max"_a)
      .def(
          "receive",
          [](PduReader& reader, int fd, int wake_fd, int timeout_ms, size_t progress_bytes) {
            nb::gil_scoped_release free;
            return static_cast<int>(reader.receive(fd, wake_fd, timeout_ms, progress_bytes));
          },
          "fd"_a, "wake_fd"_a, "timeout_ms"_a, "progress_bytes"_a)
      .def(
          "feed",
          [](PduReader& reader, nb::handle buffer) {
            const Bytes in(buffer);
            if (in.size() > PduReader::kFeedMax) throw nb::value_error("more than 128 KiB at once");
            reader.feed(in.data(), in.size());
          },
          "data"_a)
      .def("next", [](PduReader& reader) { return static_cast<int>(reader.next()); })
      .def(
          "expect_data",
          [](PduReader& reader, nb::handle prefix) {
            const Bytes in(prefix);
            reader.expect_data(in.data(), in.size());
          },
          "prefix"_a)
      .def("take_command", [](PduReader& reader) { return bytes(reader.take_command()); })
      .def("take_pdu", [](PduReader& reader) { return bytes(reader.take_pdu()); })
      .def("take_data", &take_data)
      .def_prop_ro("context_id", [](const PduReader& reader) { return int(reader.context_id()); })
      .def_prop_ro("pdu_type", [](const PduReader& reader) { return int(reader.pdu_type()); })
      .def_prop_ro("fault", [](const PduReader& reader) { return std::string(reader.fault()); })
      .def_prop_ro("fault_reason", &PduReader::fault_reason);
}

// Python buffers as native code sees them: held while it works, whoever else has the GIL.
#pragma once
#include <nanobind/nanobind.h>

#include <cstddef>
#include <cstdint>

class Bytes {  // contiguous, to read
 public:
  explicit Bytes(nanobind::handle object, int flags = PyBUF_SIMPLE) {
    if (PyObject_GetBuffer(object.ptr(), &view_, flags) != 0) throw nanobind::python_error();
  }
  ~Bytes() { PyBuffer_Release(&view_); }
  Bytes(const Bytes&) = delete;
  Bytes& operator=(const Bytes&) = delete;
  const uint8_t* data() const { return static_cast<const uint8_t*>(view_.buf); }
  size_t size() const { return static_cast<size_t>(view_.len); }

 protected:
  Py_buffer view_{};
};

class Room : public Bytes {  // contiguous, to write
 public:
  explicit Room(nanobind::handle object) : Bytes(object, PyBUF_WRITABLE) {}
  uint8_t* data() const { return static_cast<uint8_t*>(view_.buf); }
};

void bind_codec(nanobind::module_& m);
void bind_network(nanobind::module_& m);
void bind_records(nanobind::module_& m);

// Fuzz target of everything that reads hostile bytes: scan, DICOM JSON, locate, from memory and through a file's window.
//
// Memory is bounded by the limits below; what reads past an end is the sanitizers' to find.
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include "fuzz.hpp"
#include "locate.hpp"
#include "scan.hpp"

using namespace voxcast;

namespace {

const Limits& limits() {
  static const Limits values{16, 100'000, 1 << 20, 4 << 10, 4 << 20, 10'000};
  return values;
}

// Stands for zlib, which this library does not link: the first byte says how far the rest unfolds, never beyond `max`.
std::string inflate(const uint8_t* data, size_t n, size_t max) {
  if (n == 0) throw ScanError(Fault::truncated, "the deflated data set", 1, 0);
  const size_t times = 1 + (data[0] & 3);
  if (n > max / times) throw ScanError(Fault::too_large, "inflated_bytes_max", n * times, max);
  std::string out;
  for (size_t i = 0; i < times; ++i) out.append(reinterpret_cast<const char*>(data) + 1, n - 1);
  return out;
}

const Hooks& hooks() {
  static const Hooks both{
      [](const std::string& charset, const char* raw, size_t n, bool is_name, bool* ok) {
        *ok = !is_name || charset.size() % 2 == 0;
        return std::string(raw, n);  // as it is: the library checks what a decoder gives
      },
      inflate};
  return both;
}

const std::vector<IndexTag>& tags() {
  static const std::vector<IndexTag> all{{0x00080005, 3}, {0x00080008, 3}, {0x00080016, 3}, {0x00080018, 3}, {0x00080020, 1},
                                         {0x00080060, 2}, {0x00100010, 0}, {0x00100020, 0}, {0x0020000D, 1}, {0x0020000E, 2},
                                         {0x00200013, 3}, {0x00280008, 3}, {0x00280106, 3}, {0x00281050, 3}, {0x00400275, 2},
                                         {0x0040A730, 3}};
  return all;
}

// JSON that a reader could stumble over: ill-formed UTF-8, unbalanced brackets, a control character, an open string.
void check_json(const std::string& json) {
  std::string copy;
  if (!append_utf8(copy, json.data(), json.size())) wrong("JSON is no UTF-8");
  std::string open;
  bool in_string = false;
  for (size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (static_cast<unsigned char>(c) < 0x20) wrong("a control character in JSON");
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      open += c;
    } else if (c == '}' || c == ']') {
      if (open.empty() || open.back() != (c == '}' ? '{' : '[')) wrong("brackets of JSON do not match");
      open.pop_back();
    }
  }
  if (in_string || !open.empty()) wrong("JSON does not end");
}

uint64_t at64(const std::string& packed, size_t at) {
  uint64_t v;
  std::memcpy(&v, packed.data() + at, 8);
  return v;
}

// Every frame must be inside the stream: whoever reads it does not check again.
void check_frames(const Scan& s, uint64_t size) {
  if (s.header_length > size || s.data_set_at > size) wrong("the header ends outside the stream");
  for (const std::string& json : s.json) check_json(json);
  if (!s.has_description) return;
  if (s.frame_table.size() < 40) wrong("a frame table without a head");
  uint32_t count;
  std::memcpy(&count, s.frame_table.data() + 4, 4);
  if (count == 0 || count > limits().frames_max) wrong("frames beyond their limit");
  if (s.frame_table[0] == 1) {
    const uint64_t base = at64(s.frame_table, 8), stride = at64(s.frame_table, 16);
    if (base > size || (count * stride + 7) / 8 > size - base) wrong("native frames outside the stream");
  } else if (s.frame_table[0] == 2) {
    if (s.frame_table.size() != 40 + 16 * size_t(count)) wrong("a frame table of another size");
    for (uint32_t i = 0; i < count; ++i) {
      const uint64_t offset = at64(s.frame_table, 40 + 16 * size_t(i)), rest = at64(s.frame_table, 48 + 16 * size_t(i));
      if (offset > size || (rest & 0xFFFFFFFF) > size - offset) wrong("a fragment outside the stream");
    }
  } else if (s.frame_table[0] == 4) {
    const uint64_t base = at64(s.frame_table, 8), length = at64(s.frame_table, 32);
    if (base > size || length > size - base) wrong("a video outside the stream");
  }
}

std::string outcome(Source& source, uint64_t size) {
  try {
    const Scan s = scan(source, tags(), limits(), hooks());
    check_frames(s, size);
    std::string all = s.transfer_syntax_uid + '|' + s.sop_instance_uid + '|' + s.json[0] + s.json[1] + s.json[2] + s.json[3] + s.frame_table;
    for (const auto& [code, detail] : s.defects) all += '|' + code + detail;
    return all;
  } catch (const ScanError& error) {
    return error.what() + std::to_string(static_cast<int>(error.fault)) + '|' + std::to_string(error.first) + '|' +
           std::to_string(error.second);
  }
}

void all_of_it(const uint8_t* data, size_t size) {
  MemorySource memory(data, size);
  const std::string from_memory = outcome(memory, size);
  static const int fd = memfd_create("fuzz", 0);
  if (fd < 0 || ftruncate(fd, 0) != 0 || pwrite(fd, data, size, 0) != static_cast<ssize_t>(size)) wrong("no memory file");
  FileSource file(fd, 0, size, limits().header_bytes_max);
  // The window of a file is the only difference that may show: one value can be too large for it.
  if (size < limits().header_bytes_max && outcome(file, size) != from_memory) wrong("a file gives something else than memory");
  for (const bool is_prefix : {true, false}) {
    try {
      check_json(part10_json(memory, limits(), hooks(), "b", is_prefix));
    } catch (const ScanError&) {
    }
  }
  static const std::vector<std::vector<uint32_t>> paths{{0x7FE00010}, {0x00280010}, {0x0040A730, 0, 0x0040A730, 1, 0x00080104}};
  for (const auto& path : paths) {
    try {
      const auto found = locate(file, path, limits(), hooks());
      if (found && found->bytes.empty() && (found->at > size || found->length > size - found->at)) {
        // An inflated value of no bytes is nowhere in the stream.
        if (found->length != 0) wrong("a value outside the stream");
      }
    } catch (const ScanError&) {
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  all_of_it(data, size);
  return 0;
}

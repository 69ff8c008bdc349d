// Fuzz target of PDU reading: fed in any pieces, and read from a socket, against a plain reassembly of the whole stream.
//
// Input: a byte of the longest P-DATA-TF, one of the longest piece, two that decide how the stream is torn, then the stream.
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "fuzz.hpp"
#include "pdu_reader.hpp"

using namespace voxcast;

namespace {

constexpr size_t kCommandMax = 600, kEmptyMax = 1024;
constexpr uint32_t kOtherMax = 2000;

struct Seen {
  int event;
  int number;  // context, or type of the PDU, or reason of the abort
  std::string bytes;
  bool operator==(const Seen& other) const { return event == other.event && number == other.number && bytes == other.bytes; }
};

// Whether a data set follows this command; anything that both sides see will do.
bool announces(const std::string& command) { return !command.empty() && command.back() & 1; }

uint32_t big32(const uint8_t* p) { return uint32_t(p[0]) << 24 | uint32_t(p[1]) << 16 | uint32_t(p[2]) << 8 | p[3]; }

// PS3.8 9.3 from the first byte to the last, with everything at hand.
std::vector<Seen> whole(const uint8_t* data, size_t size, uint32_t pdu_max) {
  std::vector<Seen> out;
  std::string command, body;
  bool expects = false, in_command = false;
  size_t at = 0, empty = 0;
  int context = 0;
  const auto bad = [&](int reason) { out.push_back({PduReader::kBad, reason, ""}); };
  while (size - at >= 6) {
    const uint8_t type = data[at];
    const uint32_t length = big32(data + at + 2);
    at += 6;
    if (type < 1 || type > 7) return bad(1), out;
    if (type != 4) {
      if (length > kOtherMax) return bad(6), out;
      if (size - at < length) return out;
      out.push_back({PduReader::kPdu, type, std::string(data + at, data + at + length)});
      at += length;
      continue;
    }
    if (length > pdu_max || (length == 0 && ++empty > kEmptyMax)) return bad(6), out;
    size_t left = length;
    while (left > 0) {
      if (left < 6) return bad(6), out;
      if (size - at < 6) return out;
      const uint32_t item = big32(data + at);
      const int number = data[at + 4], control = data[at + 5];
      at += 6, left -= 6;
      if (item < 2 || item - 2 > left) return bad(6), out;
      const bool is_command = control & 1, is_last = control & 2;
      if (is_command == expects) return bad(2), out;
      if ((in_command || expects) && number != context) return bad(6), out;
      if (item == 2 && !is_last && ++empty > kEmptyMax) return bad(6), out;
      context = number;
      in_command = in_command || is_command;
      const size_t n = std::min<size_t>(item - 2, size - at);
      std::string& into = is_command ? command : body;
      into.append(data + at, data + at + n);
      at += n, left -= n;
      if (is_command && command.size() > kCommandMax) return bad(6), out;
      if (n < item - 2) return out;
      if (!is_last) continue;
      empty = 0;
      out.push_back({is_command ? PduReader::kCommand : PduReader::kData, context, into});
      expects = is_command && announces(into);
      if (is_command) in_command = false;
      into.clear();
    }
  }
  return out;
}

// Takes what a reader has until it wants more; false when there will be nothing any more.
class Taking {
 public:
  explicit Taking(PduReader& reader) : reader_(reader) {}
  std::vector<Seen> seen;

  bool take(PduReader::Event event) {
    switch (event) {
      case PduReader::kCommand: {
        seen.push_back({event, reader_.context_id(), reader_.take_command()});
        if (announces(seen.back().bytes)) {
          const uint8_t prefix[3] = {'p', 'r', 'e'};
          reader_.expect_data(prefix, sizeof prefix);
          data_.clear();
        }
        return true;
      }
      case PduReader::kPiece:
      case PduReader::kData: {
        size_t n = 0;
        uint8_t* piece = reader_.take_data(&n);
        data_.append(piece, piece + n);
        std::free(piece);
        if (event == PduReader::kData) {
          if (data_.compare(0, 3, "pre") != 0) wrong("what stands before a data set is lost");
          seen.push_back({event, reader_.context_id(), data_.substr(3)});
        }
        return true;
      }
      case PduReader::kPdu:
        seen.push_back({event, reader_.pdu_type(), reader_.take_pdu()});
        return true;
      case PduReader::kBad:
        seen.push_back({event, reader_.fault_reason(), ""});
        return false;
      default:
        wrong("an event that there is no reason for");
    }
  }

 private:
  PduReader& reader_;
  std::string data_;
};

// Pieces of one byte, of some, and of very many.
size_t torn(uint32_t& state, size_t left) {
  state = state * 1664525u + 1013904223u;
  const uint32_t kind = state >> 30, size = state >> 8 & 0xFFFF;
  return std::min<size_t>(left, kind == 0 ? 1 : kind == 1 ? 1 + size % 16 : kind == 2 ? 1 + size % 4096 : 1 + size);
}

std::vector<Seen> fed(const uint8_t* data, size_t size, uint32_t pdu_max, size_t piece_max, uint32_t state) {
  PduReader reader(pdu_max, kOtherMax, kCommandMax, piece_max);
  Taking taking(reader);
  for (size_t at = 0;;) {
    for (PduReader::Event event; (event = reader.next()) != PduReader::kMore;)
      if (!taking.take(event)) return taking.seen;
    if (at == size) return taking.seen;
    const size_t n = torn(state, size - at);
    reader.feed(data + at, n);
    at += n;
  }
}

std::vector<Seen> received(const uint8_t* data, size_t size, uint32_t pdu_max, size_t piece_max, uint32_t state) {
  PduReader reader(pdu_max, kOtherMax, kCommandMax, piece_max);
  Taking taking(reader);
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) wrong("no socket");
  bool is_open = true;
  for (size_t at = 0; is_open && at < size;) {
    const size_t n = torn(state, size - at);
    if (write(ends[0], data + at, n) != static_cast<ssize_t>(n)) wrong("a socket that takes too little");
    at += n;
    for (PduReader::Event event; is_open && (event = reader.receive(ends[1], -1, 0, SIZE_MAX)) != PduReader::kTimeout;)
      is_open = taking.take(event);
  }
  close(ends[0]);
  if (is_open && reader.receive(ends[1], -1, 0, SIZE_MAX) != PduReader::kClosed) wrong("the end is not noticed");
  close(ends[1]);
  return taking.seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 4) return 0;
  const uint32_t pdu_max = 64 + 300u * data[0], state = data[2] | uint32_t(data[3]) << 8;
  const size_t piece_max = 1 + 100u * data[1];
  data += 4, size -= 4;
  const std::vector<Seen> expected = whole(data, size, pdu_max);
  if (fed(data, size, pdu_max, piece_max, state) != expected) wrong("torn apart it is read as something else");
  if (received(data, size, pdu_max, piece_max, state) != expected) wrong("from a socket it is read as something else");
  return 0;
}

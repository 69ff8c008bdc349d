// What comes over an association, as whole messages: PDU framing and P-DATA reassembly (PS3.8 9.3.1 and annex E). No Python in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace voxcast {

// Bytes that grow, and whose memory can be handed on without a copy.
class GrowingBytes {
 public:
  GrowingBytes() = default;
  GrowingBytes(const GrowingBytes&) = delete;
  GrowingBytes& operator=(const GrowingBytes&) = delete;
  ~GrowingBytes();
  void append(const uint8_t* data, size_t n);
  uint8_t* reserve(size_t n);  // room for n more; where they go
  void added(size_t n) { size_ += n; }
  size_t size() const { return size_; }
  uint8_t* release(size_t* n);  // for free(); empty afterwards
  void clear() { size_ = 0; }

 private:
  uint8_t* data_ = nullptr;
  size_t size_ = 0, capacity_ = 0, last_size_ = 0;
};

class PduReader {
 public:
  enum Event { kMore, kCommand, kData, kPiece, kPdu, kTimeout, kWoken, kClosed, kBad };

  // pdu: of one P-DATA-TF; other: of any other PDU; command: of one command set; piece: a longer data set comes in pieces.
  PduReader(uint32_t pdu_bytes_max, uint32_t other_bytes_max, size_t command_bytes_max, size_t piece_bytes_max);

  // Reads `fd` until something is whole. kTimeout where timeout_ms did not bring that; kMore where they brought at least progress_bytes of it.
  Event receive(int fd, int wake_fd, int timeout_ms, size_t progress_bytes);
  void feed(const uint8_t* data, size_t n);  // what was read elsewhere (TLS); at most kFeedMax, and only after kMore
  Event next();                              // from what has been fed

  // The command that was given says that a data set follows; its bytes will stand behind `prefix`.
  void expect_data(const uint8_t* prefix, size_t n);

  uint8_t context_id() const { return context_id_; }
  uint8_t pdu_type() const { return pdu_type_; }
  std::string take_command();
  std::string take_pdu();
  uint8_t* take_data(size_t* n) { return data_.release(n); }
  const char* fault() const { return fault_; }
  int fault_reason() const { return fault_reason_; }  // of A-ABORT, PS3.8 table 9-26

  static constexpr size_t kFeedMax = 128 * 1024;

 private:
  enum State { kHeader, kBody, kItem, kFragment, kBroken };
  Event bad(const char* fault, int reason);
  Event item();
  Event fragment();
  ptrdiff_t read_some(int fd);
  void consume(size_t n) { begin_ += n; }
  size_t available() const { return end_ - begin_; }
  const uint8_t* at() const { return in_.data() + begin_; }

  const uint32_t pdu_max_, other_max_;
  const size_t command_max_, piece_max_;
  std::vector<uint8_t> in_;
  size_t begin_ = 0, end_ = 0;
  State state_ = kHeader;
  uint8_t pdu_type_ = 0, context_id_ = 0;
  bool is_command_ = false, is_last_ = false, is_expecting_data_ = false, is_in_command_ = false;
  uint32_t pdu_left_ = 0, fragment_left_ = 0, empty_ = 0;
  std::string command_, body_;
  GrowingBytes data_;
  const char* fault_ = "";
  int fault_reason_ = 0;
};

}  // namespace voxcast

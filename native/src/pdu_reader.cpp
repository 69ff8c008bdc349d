#include "pdu_reader.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <new>
#include <stdexcept>

namespace voxcast {
namespace {

constexpr size_t kInput = 2 * PduReader::kFeedMax, kDirectMin = 4096, kFirst = 64 * 1024;
constexpr uint32_t kEmptyMax = 1024;  // fragments and PDUs of one message that bring nothing
// Reasons of A-ABORT.
constexpr int kUnrecognizedPdu = 1, kUnexpectedPdu = 2, kInvalidParameter = 6;

uint32_t big32(const uint8_t* p) { return uint32_t(p[0]) << 24 | uint32_t(p[1]) << 16 | uint32_t(p[2]) << 8 | p[3]; }
int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

GrowingBytes::~GrowingBytes() { std::free(data_); }

uint8_t* GrowingBytes::reserve(size_t n) {
  if (capacity_ - size_ < n) {
    // The next instance of a series is about as long as the last: no growing step by step.
    const size_t wanted = std::max({size_ + n, capacity_ * 2, last_size_ + last_size_ / 16, kFirst});
    auto* grown = static_cast<uint8_t*>(std::realloc(data_, wanted));
    if (grown == nullptr) throw std::bad_alloc();
    data_ = grown, capacity_ = wanted;
  }
  return data_ + size_;
}

void GrowingBytes::append(const uint8_t* data, size_t n) {
  if (n == 0) return;
  std::memcpy(reserve(n), data, n);
  size_ += n;
}

uint8_t* GrowingBytes::release(size_t* n) {
  uint8_t* out = reserve(1);
  *n = last_size_ = size_;
  data_ = nullptr, size_ = capacity_ = 0;
  return out - *n;
}

PduReader::PduReader(uint32_t pdu_bytes_max, uint32_t other_bytes_max, size_t command_bytes_max, size_t piece_bytes_max)
    : pdu_max_(pdu_bytes_max), other_max_(other_bytes_max), command_max_(command_bytes_max), piece_max_(piece_bytes_max), in_(kInput) {}

PduReader::Event PduReader::bad(const char* fault, int reason) {
  state_ = kBroken, fault_ = fault, fault_reason_ = reason;
  return kBad;
}

void PduReader::expect_data(const uint8_t* prefix, size_t n) {
  is_expecting_data_ = true;
  data_.clear();
  data_.append(prefix, n);
}

std::string PduReader::take_command() {
  std::string out;
  out.swap(command_);
  return out;
}

std::string PduReader::take_pdu() {
  std::string out;
  out.swap(body_);
  return out;
}

PduReader::Event PduReader::next() {
  for (;;) {
    switch (state_) {
      case kHeader: {
        if (available() < 6) return kMore;
        const uint8_t type = at()[0];
        pdu_left_ = big32(at() + 2);
        if (type == 0 || type > 7) return bad("PDU of an unknown type", kUnrecognizedPdu);
        consume(6);
        if (type == 4) {
          if (pdu_left_ > pdu_max_) return bad("P-DATA-TF longer than was agreed", kInvalidParameter);
          if (pdu_left_ == 0 && ++empty_ > kEmptyMax) return bad("PDUs that bring nothing", kInvalidParameter);
          state_ = kItem;
        } else {
          if (pdu_left_ > other_max_) return bad("PDU longer than its kind can be", kInvalidParameter);
          pdu_type_ = type;
          body_.clear();
          state_ = kBody;
        }
        break;
      }
      case kBody: {
        const size_t n = std::min<size_t>(available(), pdu_left_);
        body_.append(reinterpret_cast<const char*>(at()), n);
        consume(n);
        pdu_left_ -= static_cast<uint32_t>(n);
        if (pdu_left_ > 0) return kMore;
        state_ = kHeader;
        return kPdu;
      }
      case kItem: {
        const Event event = item();
        if (state_ == kItem || event == kBad) return event;
        break;
      }
      case kFragment: {
        const Event event = fragment();
        if (event != kMore || state_ == kFragment) return event;
        break;
      }
      case kBroken:
        return kBad;
    }
  }
}

// The head of one presentation data value. Goes on to its fragment, or to the next PDU.
PduReader::Event PduReader::item() {
  if (pdu_left_ == 0) {
    state_ = kHeader;
    return kMore;
  }
  if (pdu_left_ < 6) return bad("P-DATA-TF ends within an item", kInvalidParameter);
  if (available() < 6) return kMore;
  const uint32_t length = big32(at());
  const uint8_t context = at()[4], control = at()[5];
  consume(6);
  pdu_left_ -= 6;
  if (length < 2 || length - 2 > pdu_left_) return bad("item longer than its P-DATA-TF", kInvalidParameter);
  fragment_left_ = length - 2;
  is_command_ = control & 1, is_last_ = control & 2;
  if (is_command_ && is_expecting_data_) return bad("command where a data set has to be", kUnexpectedPdu);
  if (!is_command_ && !is_expecting_data_) return bad("data set that no command has announced", kUnexpectedPdu);
  if ((is_in_command_ || is_expecting_data_) && context != context_id_) return bad("message in two presentation contexts", kInvalidParameter);
  if (fragment_left_ == 0 && !is_last_ && ++empty_ > kEmptyMax) return bad("fragments that bring nothing", kInvalidParameter);
  if (is_command_) is_in_command_ = true;
  context_id_ = context;
  state_ = kFragment;
  return kMore;
}

PduReader::Event PduReader::fragment() {
  const size_t n = std::min<size_t>(available(), fragment_left_);
  if (is_command_) {
    if (command_.size() + n > command_max_) return bad("command set longer than one can be", kInvalidParameter);
    command_.append(reinterpret_cast<const char*>(at()), n);
  } else {
    data_.append(at(), n);
  }
  consume(n);
  fragment_left_ -= static_cast<uint32_t>(n);
  pdu_left_ -= static_cast<uint32_t>(n);
  if (fragment_left_ == 0) {
    state_ = kItem;
    if (is_last_) {
      empty_ = 0;
      if (is_command_) is_in_command_ = false;
      else is_expecting_data_ = false;
      return is_command_ ? kCommand : kData;
    }
  }
  return !is_command_ && data_.size() >= piece_max_ ? kPiece : kMore;
}

void PduReader::feed(const uint8_t* data, size_t n) {
  if (begin_ > 0) {
    std::memmove(in_.data(), at(), available());
    end_ -= begin_, begin_ = 0;
  }
  if (n > in_.size() - end_) throw std::length_error("more than kFeedMax was fed");
  std::memcpy(in_.data() + end_, data, n);
  end_ += n;
}

// A long fragment goes where it is wanted, and what is behind it into the input: one call, no copy.
ptrdiff_t PduReader::read_some(int fd) {
  if (begin_ > 0) {
    std::memmove(in_.data(), at(), available());
    end_ -= begin_, begin_ = 0;
  }
  const bool is_direct = state_ == kFragment && !is_command_ && end_ == 0 && fragment_left_ >= kDirectMin;
  const size_t direct = is_direct ? fragment_left_ : 0;
  iovec parts[2] = {{is_direct ? data_.reserve(direct) : nullptr, direct}, {in_.data() + end_, in_.size() - end_}};
  msghdr message{};
  message.msg_iov = is_direct ? parts : parts + 1;
  message.msg_iovlen = is_direct ? 2 : 1;
  const ptrdiff_t n = recvmsg(fd, &message, MSG_DONTWAIT);
  if (n > 0) {
    const size_t into = std::min(direct, static_cast<size_t>(n));
    data_.added(into);
    fragment_left_ -= static_cast<uint32_t>(into);
    pdu_left_ -= static_cast<uint32_t>(into);
    end_ += static_cast<size_t>(n) - into;
  }
  return n;
}

PduReader::Event PduReader::receive(int fd, int wake_fd, int timeout_ms, size_t progress_bytes) {
  const int64_t deadline = now_ms() + timeout_ms;
  size_t got = 0;
  for (;;) {
    const Event event = next();
    if (event != kMore) return event;
    const ptrdiff_t n = read_some(fd);
    if (n > 0) {
      got += static_cast<size_t>(n);
      continue;
    }
    if (n == 0) return kClosed;
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) return kClosed;
    const bool is_within = state_ != kHeader || available() > 0 || is_expecting_data_;
    if (is_within) {
      // A sender with Nagle's algorithm keeps the rest of its message until what it sent is acknowledged: do so now.
      const int on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
    }
    const int64_t left = deadline - now_ms();
    if (left <= 0) return is_within && got >= progress_bytes ? kMore : kTimeout;
    pollfd waits[2] = {{fd, POLLIN, 0}, {wake_fd, POLLIN, 0}};
    if (poll(waits, wake_fd >= 0 ? 2 : 1, static_cast<int>(left)) > 0 && wake_fd >= 0 && waits[1].revents != 0) return kWoken;
  }
}

}  // namespace voxcast

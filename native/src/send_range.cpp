#include "send_range.hpp"

#include <cerrno>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>

namespace voxcast {
namespace {

constexpr size_t kProbeEvery = 128 * 1024;

bool all_cached(int file, uint64_t offset, size_t length) {
  uint8_t byte = 0;
  iovec room{&byte, 1};
  for (size_t at = 0;; at = std::min(at + kProbeEvery, length - 1)) {
    if (preadv2(file, &room, 1, static_cast<off_t>(offset + at), RWF_NOWAIT) != 1) return false;
    if (at == length - 1) return true;
  }
}

// As much as goes; kFailed for anything but a full buffer.
int64_t send_some(int socket, const uint8_t* data, size_t size, int flags) {
  size_t sent = 0;
  while (sent < size) {
    const ssize_t n = ::send(socket, data + sent, size - sent, MSG_DONTWAIT | MSG_NOSIGNAL | flags);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK ? static_cast<int64_t>(sent) : kFailed;
    sent += static_cast<size_t>(n);
  }
  return static_cast<int64_t>(sent);
}

// While it lives the kernel sends full packets only: else what stands behind the range would be one of its own, and wake its reader again.
class Cork {
 public:
  explicit Cork(int socket, bool is_wanted) : socket_(is_wanted ? socket : -1) { set(1); }
  ~Cork() { set(0); }
  Cork(const Cork&) = delete;
  Cork& operator=(const Cork&) = delete;

 private:
  void set(int value) const {
    if (socket_ < 0) return;
    const int reason = errno;  // of what failed while it lived, for the caller
    ::setsockopt(socket_, IPPROTO_TCP, TCP_CORK, &value, sizeof value);
    errno = reason;
  }
  const int socket_;
};

}  // namespace

int64_t send_range(int socket, const Frame& around, int file, uint64_t offset, size_t length, bool is_cached) {
  if (length == 0 || !(is_cached || all_cached(file, offset, length))) return kNotCached;
  const Cork cork(socket, around.tail_bytes > 0);
  int64_t sent = send_some(socket, around.head, around.head_bytes, MSG_MORE);
  if (sent < static_cast<int64_t>(around.head_bytes)) return sent;
  off_t at = static_cast<off_t>(offset);
  for (size_t left = length; left > 0;) {
    const ssize_t n = ::sendfile(socket, file, &at, left);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK ? sent : kFailed;
    if (n == 0) {  // the file ends before the range does
      errno = EIO;
      return kFailed;
    }
    sent += n;
    left -= static_cast<size_t>(n);
  }
  const int64_t rest = send_some(socket, around.tail, around.tail_bytes, 0);
  return rest < 0 ? rest : sent + rest;
}

}  // namespace voxcast

// Carries IP packets between two TUN devices, each in a network namespace of its own: some time later, and not all of them.
//
//   forward NAMESPACE_A DEVICE_A NAMESPACE_B DEVICE_B DELAY_US LOSS SEED ACCOUNT
//
// The devices are made here and leave with this process, which leaves with its parent. "ready" on stdout once both are there.
// A line every 100 ms into the file ACCOUNT: seconds (CLOCK_MONOTONIC), then of A to B, and of B to A, since the begin:
// packets delivered, their bytes (IP headers too), packets lost on purpose, packets for which the queue had no room.
//
// One thread. A packet is due at the time it was read plus the delay, so the order stays, and what stays is no more than
// delay times rate: the queue's limit is an error of whoever measures (the account says it), not a property of the link.
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <random>
#include <string>
#include <vector>

namespace {

constexpr std::size_t packet_bytes_max = 2048;
constexpr std::size_t packets_max = 8192;  // in each direction: 12 MB of full packets
constexpr int reads_in_a_row = 64;
constexpr std::int64_t account_every_ns = 100'000'000;

[[noreturn]] void fail(const std::string& what) {
  std::perror(("forward: " + what).c_str());
  std::exit(1);
}

std::int64_t now_ns() {
  timespec at{};
  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec * 1'000'000'000LL + at.tv_nsec;
}

int open_tun(const char* network_namespace, const char* device) {
  const std::string path = std::string("/run/netns/") + network_namespace;
  const int there = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (there < 0 || setns(there, CLONE_NEWNET) != 0) fail(path);
  close(there);
  const int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) fail("/dev/net/tun");
  ifreq request{};
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  std::strncpy(request.ifr_name, device, IFNAMSIZ - 1);
  if (ioctl(fd, TUNSETIFF, &request) != 0) fail(device);
  return fd;
}

struct Packet {
  std::int64_t due_ns;
  std::uint32_t length;
  std::uint8_t data[packet_bytes_max];
};

class Direction {
 public:
  Direction(int from, int to, std::int64_t delay_ns, double loss, std::uint64_t seed)
      : from_(from), to_(to), delay_ns_(delay_ns), loss_(loss), dice_(seed), ring_(packets_max) {}

  void take(std::int64_t now) {
    for (int i = 0; i < reads_in_a_row; ++i) {
      const bool is_full = end_ - begin_ == packets_max;
      std::uint8_t surplus[packet_bytes_max];
      Packet& packet = ring_[end_ % packets_max];
      const ssize_t length = read(from_, is_full ? surplus : packet.data, packet_bytes_max);
      if (length < 0) {
        if (errno == EAGAIN || errno == EINTR) return;
        fail("read");
      }
      if (is_full) {
        ++no_room;
      } else if (loss_ > 0 && chance_(dice_) < loss_) {
        ++lost;
      } else {
        packet.due_ns = now + delay_ns_;
        packet.length = static_cast<std::uint32_t>(length);
        ++end_;
      }
    }
  }

  // What is due; the time at which the next one will be, or -1.
  std::int64_t deliver(std::int64_t now) {
    while (begin_ != end_) {
      const Packet& packet = ring_[begin_ % packets_max];
      if (packet.due_ns > now) return packet.due_ns;
      if (write(to_, packet.data, packet.length) < 0) {
        if (errno == EINTR) continue;
        if (errno == EAGAIN || errno == ENOBUFS) return now + 50'000;
        if (errno != EIO) fail("write");  // EIO: the device is not up yet, or not any more
      }
      ++packets;
      bytes += packet.length;
      ++begin_;
    }
    return -1;
  }

  int from() const { return from_; }

  std::uint64_t packets = 0, bytes = 0, lost = 0, no_room = 0;

 private:
  int from_, to_;
  std::int64_t delay_ns_;
  double loss_;
  std::mt19937_64 dice_;
  std::uniform_real_distribution<double> chance_{0.0, 1.0};
  std::vector<Packet> ring_;
  std::uint64_t begin_ = 0, end_ = 0;
};

void say(std::FILE* account, std::int64_t now, const Direction& one, const Direction& other) {
  std::fprintf(account, "%.6f %llu %llu %llu %llu %llu %llu %llu %llu\n", static_cast<double>(now) / 1e9,
               static_cast<unsigned long long>(one.packets), static_cast<unsigned long long>(one.bytes),
               static_cast<unsigned long long>(one.lost), static_cast<unsigned long long>(one.no_room),
               static_cast<unsigned long long>(other.packets), static_cast<unsigned long long>(other.bytes),
               static_cast<unsigned long long>(other.lost), static_cast<unsigned long long>(other.no_room));
  std::fflush(account);
}

}  // namespace

int main(int count, char** words) {
  if (count != 9) {
    std::fprintf(stderr, "forward NAMESPACE_A DEVICE_A NAMESPACE_B DEVICE_B DELAY_US LOSS SEED ACCOUNT\n");
    return 2;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  prctl(PR_SET_TIMERSLACK, 1);  // ns: else a wait of half a millisecond is a tenth longer
  const int a = open_tun(words[1], words[2]);
  const int b = open_tun(words[3], words[4]);
  const std::int64_t delay_ns = std::atoll(words[5]) * 1000;
  const double loss = std::atof(words[6]);
  const std::uint64_t seed = std::strtoull(words[7], nullptr, 10);
  std::FILE* account = std::fopen(words[8], "we");
  if (account == nullptr) fail(words[8]);
  Direction one(a, b, delay_ns, loss, seed), other(b, a, delay_ns, loss, seed + 1);
  std::int64_t said = now_ns();
  say(account, said, one, other);
  std::puts("ready");
  std::fflush(stdout);
  for (;;) {
    pollfd both[2] = {{one.from(), POLLIN, 0}, {other.from(), POLLIN, 0}};
    std::int64_t now = now_ns(), wake = said + account_every_ns;
    for (Direction* direction : {&one, &other}) {
      const std::int64_t due = direction->deliver(now);
      if (due >= 0 && due < wake) wake = due;
    }
    const std::int64_t wait = wake > now ? wake - now : 0;
    const timespec timeout{wait / 1'000'000'000, wait % 1'000'000'000};
    if (ppoll(both, 2, &timeout, nullptr) < 0 && errno != EINTR) fail("ppoll");
    now = now_ns();
    if (both[0].revents & POLLIN) one.take(now);
    if (both[1].revents & POLLIN) other.take(now);
    if (now - said >= account_every_ns) {
      said = now;
      say(account, now, one, other);
    }
  }
}

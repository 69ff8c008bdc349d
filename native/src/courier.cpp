#include "courier.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <system_error>

#include "send_range.hpp"

namespace voxcast {
namespace {

constexpr size_t kEvents = 64;
constexpr size_t kRequestBytesMax = 2048;  // a longer one is somebody else's
constexpr double kSeenFor = 1;             // seconds for which what was in the page cache is taken to be there

double now(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

}  // namespace

// A file of the archive, kept open while a plan needs it, whatever becomes of its name.
class Courier::File {
 public:
  explicit File(int file) : descriptor(::fcntl(file, F_DUPFD_CLOEXEC, 0)) {}
  ~File() {
    if (descriptor >= 0) ::close(descriptor);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  const int descriptor;
};

Courier::Courier(std::string id, std::string server, size_t plans_max, std::vector<double> limits)
    : epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      id_(std::move(id)),
      server_(std::move(server)),
      plans_max_(plans_max),
      limits_(std::move(limits)),
      buffer_(kEvents * kRequestBytesMax, '\0') {
  if (epoll_ < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
}

Courier::~Courier() { ::close(epoll_); }

bool Courier::lend(int socket, std::string block, double until) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = socket;
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, socket, &event) != 0 && errno != EEXIST) return false;
  lent_[socket] = Lent{std::move(block), until};
  return true;
}

bool Courier::take(int socket) {
  if (lent_.erase(socket) == 0) return false;
  ::epoll_ctl(epoll_, EPOLL_CTL_DEL, socket, nullptr);  // a socket that was closed is out of it already
  return true;
}

void Courier::plan(std::string request, CourierPlan plan, uint64_t generation) {
  if (generation != generation_ || plans_.size() >= plans_max_) forget();
  generation_ = generation;
  if (request.size() > kRequestBytesMax) return;
  struct stat about {};
  if (::fstat(plan.file, &about) != 0) return;
  auto& known = files_[{about.st_dev, about.st_ino}];
  auto file = known.lock();
  if (file == nullptr) {
    file = std::make_shared<File>(plan.file);
    if (file->descriptor < 0) return;  // none is free: the long way has its own word for that
    known = file;
  }
  plans_.insert_or_assign(std::move(request), Kept{std::move(plan), std::move(file), 0});
}

void Courier::forget() {
  plans_.clear();
  files_.clear();
}

CourierAnswers Courier::serve(const CommitMark& mark, double seconds, int others, double patience, std::vector<CourierReturn>& returns) {
  CourierAnswers answers;
  answers.within.resize(limits_.size() + 1);
  const double end = now(CLOCK_MONOTONIC) + seconds;
  std::vector<Heard> heard;
  do {
    if (hear(returns, heard) == 0) {
      // Who has been answered asks again in a moment: to go back to the event loop and come here again costs more than that takes.
      if (answers.count == 0 || !returns.empty() || others < 0) break;
      pollfd one{others, POLLIN, 0};
      const timespec wait{0, static_cast<long>(patience * 1e6)};
      if (::ppoll(&one, 1, &wait, nullptr) <= 0 || hear(returns, heard) == 0) break;
    }
    if (heard.empty()) continue;
    const bool is_current = mark.read() == generation_;
    for (const Heard& one : heard) {
      CourierReturn back{one.socket, {}, {}, false};
      if (answer(one, is_current, answers, back)) continue;
      take(one.socket);
      returns.push_back(std::move(back));
    }
  } while (returns.empty() && now(CLOCK_MONOTONIC) < end);
  return answers;
}

// How many connections had something to say; of those that ended nothing is heard, they are returned.
size_t Courier::hear(std::vector<CourierReturn>& returns, std::vector<Heard>& heard) {
  heard.clear();
  epoll_event events[kEvents];
  const int count = ::epoll_wait(epoll_, events, kEvents, 0);
  for (int at = 0; at < count; at++) {
    const int socket = events[at].data.fd;
    const size_t first = static_cast<size_t>(at) * kRequestBytesMax;
    ssize_t size = 0;
    do size = ::recv(socket, buffer_.data() + first, kRequestBytesMax, MSG_DONTWAIT);
    while (size < 0 && errno == EINTR);
    if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) continue;
    if (size > 0) {
      heard.push_back({socket, first, static_cast<size_t>(size), now(CLOCK_MONOTONIC)});
    } else {  // it has ended: whoever reads from it next is told the same
      take(socket);
      returns.push_back({socket, {}, {}, false});
    }
  }
  return count < 0 ? 0 : static_cast<size_t>(count);
}

// False: the connection is to be given back, as `back` says.
bool Courier::answer(const Heard& one, bool is_current, CourierAnswers& answers, CourierReturn& back) {
  const std::string_view request(buffer_.data() + one.at, one.size);
  const auto whose = lent_.find(one.socket);
  const auto unanswered = [&] { back.heard.assign(request); };
  if (whose == lent_.end() || !is_current || one.time > whose->second.until) return unanswered(), false;
  const std::string& block = whose->second.block;
  if (request.size() <= block.size() || request.substr(request.size() - block.size()) != block) return unanswered(), false;
  key_.assign(request);
  const auto found = plans_.find(key_);
  if (found == plans_.end()) return unanswered(), false;
  const CourierPlan& plan = found->second.plan;
  const int file = found->second.file->descriptor;
  const std::string top = head(plan, one.time) + plan.before;
  const Frame around{reinterpret_cast<const uint8_t*>(top.data()), top.size(), reinterpret_cast<const uint8_t*>(plan.behind.data()), plan.behind.size()};
  double& seen = found->second.seen;
  const int64_t sent = send_range(one.socket, around, file, plan.offset, plan.length, one.time < seen + kSeenFor);
  if (one.time >= seen + kSeenFor) seen = one.time;
  if (sent == kNotCached) return unanswered(), false;  // a slow disk, which must not hold up anybody
  const size_t body = plan.before.size() + plan.length + plan.behind.size();
  const double took = now(CLOCK_MONOTONIC) - one.time;
  answers.count++;
  answers.bytes += body;
  answers.seconds += took;
  answers.within[static_cast<size_t>(std::lower_bound(limits_.begin(), limits_.end(), took) - limits_.begin())]++;
  if (sent == kFailed) return back.is_broken = true, false;
  const size_t whole = top.size() + plan.length + plan.behind.size(), gone = static_cast<size_t>(sent);
  if (gone == whole) return true;
  // What is left is read now: later it may not lie there any more.
  std::string& rest = back.unsent;
  if (gone < top.size()) rest.assign(top, gone);
  const size_t first = gone > top.size() ? gone - top.size() : 0;
  if (first < plan.length) {
    const size_t at = rest.size(), missing = plan.length - first;
    rest.resize(at + missing);
    for (size_t come = 0; come < missing;) {
      const ssize_t n = ::pread(file, rest.data() + at + come, missing - come, static_cast<off_t>(plan.offset + first + come));
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return back.is_broken = true, false;
      come += static_cast<size_t>(n);
    }
  }
  rest.append(plan.behind, gone > top.size() + plan.length ? gone - top.size() - plan.length : 0);
  return false;
}

std::string Courier::head(const CourierPlan& plan, double heard) {
  const auto second = static_cast<int64_t>(::time(nullptr));
  if (second != date_of_) {
    const time_t time = second;
    tm parts{};
    ::gmtime_r(&time, &parts);
    static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    char text[64];
    std::snprintf(text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d GMT", kDays[parts.tm_wday], parts.tm_mday, kMonths[parts.tm_mon], parts.tm_year + 1900,
                  parts.tm_hour, parts.tm_min, parts.tm_sec);
    date_ = text;
    date_of_ = second;
  }
  char own[192];
  const long us = std::lround(1e6 * (now(CLOCK_MONOTONIC) - heard));
  const int size = std::snprintf(own, sizeof own, "X-Request-Id: %s%llx\r\nServer-Timing: read;dur=%ld.%03ld, total;dur=%ld.%03ld\r\n", id_.c_str(),
                                 static_cast<unsigned long long>(++answered_), us / 1000, us % 1000, us / 1000, us % 1000);
  std::string made;
  made.reserve(plan.head.size() + plan.before.size() + date_.size() + server_.size() + sizeof own + 64);
  made.append("HTTP/1.1 200 OK\r\n").append(plan.head).append(own, static_cast<size_t>(size));
  return made.append("Date: ").append(date_).append("\r\nServer: ").append(server_).append("\r\n\r\n");
}

}  // namespace voxcast

// Readers of voxcast.stream.v1 (docs/stream.md) in one thread, which cost as little as readers can: what they would use of the
// machine is not the server's to have. They say where the hand is when it is there, answer every message, and note every record.
//
//   seats HOST PORT STUDY SERIES SIDE JOB TARGET BEGIN
//
// JOB: of each reader a line "seat LATER SECONDS WORDS", and so many lines "AT POSITION VELOCITY DIRECTION": all in seconds, LATER
// than BEGIN (of CLOCK_MONOTONIC), AT since then. All connect before anybody begins.
// TARGET, little endian: of each reader began and the most a word was late (float64, seconds), the numbers of rows and of bytes of
// the SERIES record's payload (uint32); that payload; the rows: seconds since began (float64), kind, level (uint8), 0 (uint16),
// position, detail, length (uint32). What a record may say is checked by who reads them.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <string>
#include <vector>

namespace {

constexpr std::size_t head_bytes = 24, room_bytes = 256 * 1024;
constexpr std::uint8_t kind_chunk = 1, kind_run = 2, kind_series = 4;
constexpr double patience_s = 5.0;  // for handshakes

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "seats: %s\n", what.c_str());
  std::exit(1);
}

double now_s() {
  timespec at{};
  clock_gettime(CLOCK_MONOTONIC, &at);
  return static_cast<double>(at.tv_sec) + static_cast<double>(at.tv_nsec) / 1e9;
}

struct Word {
  double at;
  long position;
  double velocity;
  int direction;
};

struct Row {
  double at;
  std::uint8_t kind, level;
  std::uint16_t zero;
  std::uint32_t position, detail, length;
};
static_assert(sizeof(Row) == 24);

struct Address {
  const char *host, *port, *study, *series, *side;
};

std::uint32_t number(const std::uint8_t* at) {
  std::uint32_t value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

class Seat {
 public:
  double begin = 0, seconds = 0, late = 0;
  std::vector<Word> words;
  std::vector<Row> rows;
  std::string table;

  void connect_to(const Address& server) {
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in there{};
    there.sin_family = AF_INET;
    there.sin_port = htons(static_cast<std::uint16_t>(std::atoi(server.port)));
    if (inet_pton(AF_INET, server.host, &there.sin_addr) != 1) fail("no address");
    const timeval patience{static_cast<time_t>(patience_s), 0};
    setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    const int one = 1;
    setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(socket_, reinterpret_cast<sockaddr*>(&there), sizeof there) != 0) fail("connect");
    const std::string host = std::string(server.host) + ":" + server.port;
    const std::string request = "GET /stream HTTP/1.1\r\nHost: " + host +
                                "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                                "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: voxcast.stream.v1\r\n\r\n";
    if (send(socket_, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size())) fail("request");
    std::string answer;
    while (answer.find("\r\n\r\n") == std::string::npos) {
      char byte;
      if (recv(socket_, &byte, 1, 0) != 1) fail("no answer to the handshake");
      answer += byte;
    }
    if (answer.compare(0, 12, "HTTP/1.1 101") != 0) fail("the handshake was answered by " + answer.substr(0, 80));
    say("{\"type\": \"hello\"}");
    flush();
  }

  // Words that are due; when the next one is, or the end.
  double speak(double now, const Address& server) {
    while (next_ < words.size() && begin + words[next_].at <= now) {
      const Word& word = words[next_];
      char text[512];
      if (next_ == 0) {
        std::snprintf(text, sizeof text, "{\"type\": \"open\", \"series\": 0, \"study\": \"%s\", \"seriesInstanceUID\": \"%s\", \"approximate\": true}",
                      server.study, server.series);
        say(text);
      }
      std::snprintf(text, sizeof text,
                    "{\"type\": \"look\", \"viewport\": 0, \"series\": 0, \"position\": %ld, \"width\": %s, \"height\": %s, "
                    "\"loop\": false, \"velocity\": %.9g, \"direction\": %d}",
                    word.position, server.side, server.side, word.velocity, word.direction);
      say(text);
      late = std::max(late, now - begin - word.at);
      ++next_;
    }
    flush();
    return begin + (next_ < words.size() ? words[next_].at : seconds);
  }

  // All that has come; every message is answered by itself, as a browser's page would.
  void listen() {
    for (;;) {
      const std::size_t have = in_.size();
      in_.resize(have + room_bytes);
      const ssize_t n = recv(socket_, in_.data() + have, room_bytes, MSG_DONTWAIT);
      in_.resize(have + static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
      if (n == 0) fail("the server closed");
      if (n < 0) {
        if (errno == EAGAIN || errno == EINTR) break;
        fail("recv");
      }
      take(now_s());
      if (static_cast<std::size_t>(n) < room_bytes) break;
    }
    flush();
  }

  bool is_over(double now) const { return now >= begin + seconds; }
  pollfd waits() const { return {socket_, static_cast<short>(POLLIN | (out_.empty() ? 0 : POLLOUT)), 0}; }

  void flush() {
    while (!out_.empty()) {
      const ssize_t n = send(socket_, out_.data(), out_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno == EAGAIN) return;
      if (n < 0) fail("send");
      out_.erase(0, static_cast<std::size_t>(n));
    }
  }

 private:
  int socket_ = -1;
  std::size_t next_ = 0;
  std::uint64_t got_ = 0;
  std::uint32_t mask_ = 0x9e3779b9;
  std::vector<std::uint8_t> in_;
  std::string out_;

  void say(const std::string& text, std::uint8_t opcode = 1) {  // RFC 6455 5.2: the client's frames are masked
    mask_ = mask_ * 1664525u + 1013904223u;
    out_ += static_cast<char>(0x80 | opcode);
    if (text.size() < 126) {
      out_ += static_cast<char>(0x80 | text.size());
    } else {
      out_ += static_cast<char>(0x80 | 126);
      out_ += static_cast<char>(text.size() >> 8);
      out_ += static_cast<char>(text.size());
    }
    char mask[4];
    std::memcpy(mask, &mask_, sizeof mask);
    out_.append(mask, sizeof mask);
    for (std::size_t i = 0; i < text.size(); ++i) out_ += static_cast<char>(text[i] ^ mask[i & 3]);
  }

  void take(double now) {
    std::size_t at = 0;
    for (;;) {
      const std::uint8_t* frame = in_.data() + at;
      const std::size_t have = in_.size() - at;
      if (have < 2) break;
      std::size_t size = frame[1] & 0x7f, head = 2;
      if (frame[1] & 0x80) fail("a masked frame of a server");
      if (!(frame[0] & 0x80)) fail("a message in several frames");
      if (size >= 126) {
        const std::size_t width = size == 126 ? 2 : 8;
        if (have < head + width) break;
        size = 0;
        for (std::size_t i = 0; i < width; ++i) size = size << 8 | frame[head + i];
        head += width;
      }
      if (have < head + size) break;
      message(frame[0] & 0x0f, frame + head, size, now);
      at += head + size;
    }
    in_.erase(in_.begin(), in_.begin() + static_cast<std::ptrdiff_t>(at));
  }

  void message(int opcode, const std::uint8_t* data, std::size_t size, double now) {
    const std::string text(reinterpret_cast<const char*>(data), opcode == 2 ? 0 : size);
    if (opcode == 8) fail("the server ended the session: " + text.substr(std::min<std::size_t>(2, size)));
    if (opcode == 9) say(text, 10);
    if (opcode == 1 && text.find("\"error\"") != std::string::npos) fail(text);
    if (opcode != 2) return;
    for (std::size_t at = 0; at < size;) {
      if (size - at < head_bytes) fail("half a record's head");
      const std::uint8_t* head = data + at;
      const Row row{now - begin, head[0], head[1], 0, number(head + 12), number(head + 16), number(head + 20)};
      at += head_bytes;
      if (size - at < row.length) fail("a record is longer than its message");
      if (row.kind == kind_series) table.assign(reinterpret_cast<const char*>(data + at), row.length);
      if (row.kind == kind_chunk || row.kind == kind_run) got_ += row.length;
      rows.push_back(row);
      at += row.length;
    }
    say("{\"type\": \"got\", \"bytes\": " + std::to_string(got_) + "}");
  }
};

std::vector<Seat> seats_of(const char* job) {
  std::ifstream in(job);
  std::vector<Seat> seats;
  std::string kind;
  while (in >> kind) {
    Seat seat;
    std::size_t words = 0;
    if (kind != "seat" || !(in >> seat.begin >> seat.seconds >> words)) fail("the job is none");
    seat.words.resize(words);
    for (Word& word : seat.words) {
      if (!(in >> word.at >> word.position >> word.velocity >> word.direction)) fail("the job is cut");
    }
    seats.push_back(std::move(seat));
  }
  if (seats.empty()) fail("nobody to be seated");
  return seats;
}

void write_to(const char* target, const std::vector<Seat>& seats) {
  std::ofstream out(target, std::ios::binary);
  for (const Seat& seat : seats) {
    const double times[2] = {seat.begin, seat.late};
    const std::uint32_t counts[2] = {static_cast<std::uint32_t>(seat.rows.size()), static_cast<std::uint32_t>(seat.table.size())};
    out.write(reinterpret_cast<const char*>(times), sizeof times);
    out.write(reinterpret_cast<const char*>(counts), sizeof counts);
    out.write(seat.table.data(), static_cast<std::streamsize>(seat.table.size()));
    out.write(reinterpret_cast<const char*>(seat.rows.data()), static_cast<std::streamsize>(seat.rows.size() * sizeof(Row)));
  }
  if (!out.flush()) fail("the target cannot be written");
}

}  // namespace

int main(int count, char** given) {
  if (count != 9) fail("HOST PORT STUDY SERIES SIDE JOB TARGET BEGIN");
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  prctl(PR_SET_TIMERSLACK, 1);  // ns: else a word is some tens of microseconds late
  const Address server{given[1], given[2], given[3], given[4], given[5]};
  std::vector<Seat> seats = seats_of(given[6]);
  for (Seat& seat : seats) {
    seat.begin += std::atof(given[8]);
    seat.connect_to(server);
  }
  if (now_s() > std::atof(given[8])) fail("not all were connected when they were to begin");
  std::vector<pollfd> waits;
  std::vector<Seat*> there;
  for (;;) {
    double now = now_s(), next = now + 1.0;
    waits.clear();
    there.clear();
    for (Seat& seat : seats) {
      if (seat.is_over(now)) continue;
      next = std::min(next, seat.speak(now, server));
      waits.push_back(seat.waits());
      there.push_back(&seat);
    }
    if (there.empty()) break;
    const double wait = std::max(0.0, next - now_s());
    const timespec timeout{static_cast<time_t>(wait), static_cast<long>((wait - static_cast<double>(static_cast<time_t>(wait))) * 1e9)};
    if (ppoll(waits.data(), waits.size(), &timeout, nullptr) < 0 && errno != EINTR) fail("ppoll");
    for (std::size_t i = 0; i < there.size(); ++i) {
      if (waits[i].revents & (POLLIN | POLLERR | POLLHUP)) there[i]->listen();
      if (waits[i].revents & POLLOUT) there[i]->flush();
    }
  }
  write_to(given[7], seats);
  return 0;
}

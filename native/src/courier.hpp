// Answers of connections that ask for stored frames one after the other: from the socket into the socket, no Python in between.
#pragma once
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "commit_mark.hpp"

namespace voxcast {

struct CourierPlan {  // an answer but for its number, its time and what it took
  std::string head;   // header lines, each with its end
  std::string before, behind;  // of the body
  int file;
  uint64_t offset;
  size_t length;
};

struct CourierAnswers {  // of one call
  uint64_t count = 0, bytes = 0;  // bytes of bodies
  double seconds = 0;
  std::vector<uint64_t> within;  // how many took so long, and no longer than the next one; the last entry: longer than all
};

// What the courier gives back, with the connection: it no longer hears it.
struct CourierReturn {
  int socket;
  std::string heard;  // not answered
  std::string unsent; // of an answer; the socket has not taken it
  bool is_broken;     // part of an answer has gone, and the rest cannot be read
};

// One thread. A connection that is lent may not be read or written by anybody else until it is taken back or returned.
class Courier {
 public:
  // `id`: in front of a number, what each answer is called. `limits`: seconds, rising, by which answers are counted.
  // Throws std::system_error.
  Courier(std::string id, std::string server, size_t plans_max, std::vector<double> limits);
  ~Courier();
  Courier(const Courier&) = delete;
  Courier& operator=(const Courier&) = delete;

  int descriptor() const { return epoll_; }  // readable when a connection has something to say
  size_t lent() const { return lent_.size(); }
  size_t plans() const { return plans_.size(); }

  // `block`: everything behind the request line, as `until` (seconds, CLOCK_MONOTONIC) it may be answered; false: it cannot be lent.
  bool lend(int socket, std::string block, double until);
  // False when it is not lent.
  bool take(int socket);
  // Answer `request`, byte for byte, so, while the archive is what it is at `generation`. The file is kept open.
  void plan(std::string request, CourierPlan plan, uint64_t generation);
  void forget();

  // Answer what has come. `mark` is read after that was: a change that was told to anybody before is heeded.
  // Goes on for `seconds` while there is more; where nothing comes any more it waits `patience` ms at most, and no longer than
  // until `others` (a descriptor that can be polled) has something.
  CourierAnswers serve(const CommitMark& mark, double seconds, int others, double patience, std::vector<CourierReturn>& returns);

 private:
  class File;
  struct Lent {
    std::string block;
    double until;
  };
  struct Heard {
    int socket;
    size_t at, size;
    double time;
  };
  struct Kept {
    CourierPlan plan;
    std::shared_ptr<File> file;
    double seen;  // in the page cache
  };

  size_t hear(std::vector<CourierReturn>& returns, std::vector<Heard>& heard);
  bool answer(const Heard& one, bool is_current, CourierAnswers& answers, CourierReturn& back);
  std::string head(const CourierPlan& plan, double heard);

  int epoll_;
  std::string id_, server_;
  size_t plans_max_;
  std::vector<double> limits_;
  uint64_t answered_ = 0, generation_ = 0;
  std::unordered_map<int, Lent> lent_;
  std::unordered_map<std::string, Kept> plans_;
  std::map<std::pair<dev_t, ino_t>, std::weak_ptr<File>> files_;
  std::string buffer_, key_, date_;
  int64_t date_of_ = -1;
};

}  // namespace voxcast

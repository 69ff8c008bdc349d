// Fuzz target of the stream's plain words: what is read is what a slower reader of numbers and names finds; nothing beyond the text.
#include <string>

#include "fuzz.hpp"
#include "words.hpp"

using namespace voxcast;

namespace {

// The member, as it would be written by itself.
std::string member(const char* name, int64_t value) { return std::string("\"") + name + "\":" + std::to_string(value); }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const PlainWord word = plain_word(text);
  if (word.kind == PlainWord::Kind::kNone) return 0;
  const bool is_got = word.kind == PlainWord::Kind::kGot;
  const std::string again = is_got ? "{\"type\":\"got\"," + member("bytes", word.bytes) + "}"
                                   : "{\"type\":\"look\"," + member("viewport", word.viewport) + "," + member("series", word.series) +
                                         "," + member("position", word.position) + "}";
  const PlainWord other = plain_word(again);
  if (other.kind != word.kind) wrong("a word that was read is none when it is written again");
  if (is_got && other.bytes != word.bytes) wrong("another number of bytes");
  if (!is_got && (other.viewport != word.viewport || other.series != word.series || other.position != word.position)) wrong("another number");
  return 0;
}

// Fuzz target of the grey JPEG encoder. Input: width, height, quality, then pixels, which are repeated. What comes out must be one
// well-formed picture: markers where they belong, and no other one among the entropy-coded bytes.
#include <vector>

#include "fuzz.hpp"
#include "jpeg_grey.hpp"

using namespace voxcast;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 4 || !has_jpeg_grey()) return 0;
  const size_t width = size_t(data[0]) + 1, height = size_t(data[1]) % 64 + 1;
  const int quality = data[2] % 100 + 1;
  std::vector<uint8_t> pixels(width * height);
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = data[3 + i % (size - 3)];
  const std::vector<uint8_t> out = jpeg_grey(pixels.data(), width, height, quality);
  const size_t begin = 20 + 69 + 13 + 33 + 183 + 10;  // what stands before the first coded byte
  if (out.size() < begin + 2 || out[0] != 0xFF || out[1] != 0xD8) wrong("no picture begins so");
  if (out[out.size() - 2] != 0xFF || out[out.size() - 1] != 0xD9) wrong("no picture ends so");
  for (size_t i = begin; i + 2 < out.size(); ++i)
    if (out[i] == 0xFF && out[i + 1] != 0) wrong("a marker among the coded bytes");
  return 0;
}

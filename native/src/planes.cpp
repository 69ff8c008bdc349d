#include "planes.hpp"

#include <cstring>

#include "wide.hpp"

namespace voxcast {
namespace {

template <unsigned K>
VOXCAST_INLINE void zip(const uint8_t* const* planes, size_t n, uint8_t* __restrict__ out) {
  const uint8_t* p[K];
  for (unsigned j = 0; j < K; ++j) p[j] = planes[j];
  for (size_t i = 0; i < n; ++i)
    for (unsigned j = 0; j < K; ++j) out[i * K + j] = p[j][i];
}

template <unsigned K>
VOXCAST_INLINE void pick(const uint8_t* __restrict__ pixels, size_t n, uint8_t* __restrict__ plane) {
  for (size_t i = 0; i < n; ++i) plane[i] = pixels[i * K];
}

VOXCAST_INLINE void zip_any(const uint8_t* const* planes, unsigned k, size_t n, uint8_t* out) {
  switch (k) {  // what images have: 8, 16 and 32 bits of one sample, 8, 16 and 32 bits of three
    case 1: std::memcpy(out, planes[0], n); break;
    case 2: zip<2>(planes, n, out); break;
    case 3: zip<3>(planes, n, out); break;
    case 4: zip<4>(planes, n, out); break;
    case 6: zip<6>(planes, n, out); break;
    case 12: zip<12>(planes, n, out); break;
    default:
      for (unsigned j = 0; j < k; ++j)
        for (size_t i = 0; i < n; ++i) out[i * k + j] = planes[j][i];
  }
}

VOXCAST_INLINE void pick_any(const uint8_t* pixels, unsigned k, size_t n, uint8_t* plane) {
  switch (k) {
    case 1: std::memcpy(plane, pixels, n); break;
    case 2: pick<2>(pixels, n, plane); break;
    case 3: pick<3>(pixels, n, plane); break;
    case 4: pick<4>(pixels, n, plane); break;
    default:
      for (size_t i = 0; i < n; ++i) plane[i] = pixels[i * k];
  }
}

VOXCAST_WIDE void zip_wide(const uint8_t* const* planes, unsigned k, size_t n, uint8_t* out) { zip_any(planes, k, n, out); }
void zip_plain(const uint8_t* const* planes, unsigned k, size_t n, uint8_t* out) { zip_any(planes, k, n, out); }
VOXCAST_WIDE void pick_wide(const uint8_t* pixels, unsigned k, size_t n, uint8_t* plane) { pick_any(pixels, k, n, plane); }
void pick_plain(const uint8_t* pixels, unsigned k, size_t n, uint8_t* plane) { pick_any(pixels, k, n, plane); }

}  // namespace

void interleave(const uint8_t* const* planes, unsigned k, size_t n, uint8_t* out) {
  (is_wide() ? zip_wide : zip_plain)(planes, k, n, out);
}

void take_plane(const uint8_t* pixels, unsigned k, size_t n, uint8_t* plane) {
  (is_wide() ? pick_wide : pick_plain)(pixels, k, n, plane);
}

}  // namespace voxcast

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

// An item at any address: stored bytes begin where they happen to.
template <class T>
struct __attribute__((packed, may_alias)) Item {
  T value;
};

template <class T>
VOXCAST_INLINE void items(const uint8_t* planes, unsigned k, size_t n, uint8_t* out) {
  const Item<T>* in = reinterpret_cast<const Item<T>*>(planes);
  Item<T>* __restrict__ to = reinterpret_cast<Item<T>*>(out);
  if (k == 3) {
    for (size_t i = 0; i < n; ++i) {
      to[3 * i].value = in[i].value;
      to[3 * i + 1].value = in[n + i].value;
      to[3 * i + 2].value = in[2 * n + i].value;
    }
    return;
  }
  for (unsigned j = 0; j < k; ++j)
    for (size_t i = 0; i < n; ++i) to[i * k + j].value = in[j * n + i].value;
}

VOXCAST_INLINE void items_any(const uint8_t* planes, unsigned k, size_t n, unsigned item_bytes, uint8_t* out) {
  switch (item_bytes) {
    case 1: items<uint8_t>(planes, k, n, out); break;
    case 2: items<uint16_t>(planes, k, n, out); break;
    case 4: items<uint32_t>(planes, k, n, out); break;
    default: items<uint64_t>(planes, k, n, out);
  }
}

VOXCAST_WIDE void items_wide(const uint8_t* planes, unsigned k, size_t n, unsigned item_bytes, uint8_t* out) {
  items_any(planes, k, n, item_bytes, out);
}
void items_plain(const uint8_t* planes, unsigned k, size_t n, unsigned item_bytes, uint8_t* out) {
  items_any(planes, k, n, item_bytes, out);
}
VOXCAST_WIDE void zip_wide(const uint8_t* const* planes, unsigned k, size_t n, uint8_t* out) { zip_any(planes, k, n, out); }
void zip_plain(const uint8_t* const* planes, unsigned k, size_t n, uint8_t* out) { zip_any(planes, k, n, out); }
VOXCAST_WIDE void pick_wide(const uint8_t* pixels, unsigned k, size_t n, uint8_t* plane) { pick_any(pixels, k, n, plane); }
void pick_plain(const uint8_t* pixels, unsigned k, size_t n, uint8_t* plane) { pick_any(pixels, k, n, plane); }

}  // namespace

void interleave(const uint8_t* const* planes, unsigned k, size_t n, uint8_t* out) {
  (is_wide() ? zip_wide : zip_plain)(planes, k, n, out);
}

void interleave_items(const uint8_t* planes, unsigned k, size_t n, unsigned item_bytes, uint8_t* out) {
  (is_wide() ? items_wide : items_plain)(planes, k, n, item_bytes, out);
}

void take_plane(const uint8_t* pixels, unsigned k, size_t n, uint8_t* plane) {
  (is_wide() ? pick_wide : pick_plain)(pixels, k, n, plane);
}

}  // namespace voxcast

// The same loop twice: as the compiler's target has it, and for AVX2, chosen when the program is running.
#pragma once

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define VOXCAST_HAS_WIDE 1
#define VOXCAST_WIDE __attribute__((target("avx2")))
#define VOXCAST_INLINE inline __attribute__((always_inline))
#else
#define VOXCAST_HAS_WIDE 0
#define VOXCAST_WIDE
#define VOXCAST_INLINE inline
#endif

namespace voxcast {

inline bool is_wide() {
#if VOXCAST_HAS_WIDE
  static const bool answer = __builtin_cpu_supports("avx2") != 0;
  return answer;
#else
  return false;
#endif
}

}  // namespace voxcast

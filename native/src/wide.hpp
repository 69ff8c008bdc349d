// The same loop twice: as the compiler's target has it, and for AVX2, chosen when the program is running. Some also for AVX-512.
#pragma once

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define VOXCAST_HAS_WIDE 1
#define VOXCAST_WIDE __attribute__((target("avx2")))
#define VOXCAST_WIDEST __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#define VOXCAST_INLINE inline __attribute__((always_inline))
#else
#define VOXCAST_HAS_WIDE 0
#define VOXCAST_WIDE
#define VOXCAST_WIDEST
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

inline bool is_widest() {
#if VOXCAST_HAS_WIDE
  static const bool answer = __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  return answer;
#else
  return false;
#endif
}

}  // namespace voxcast

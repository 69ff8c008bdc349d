// The data dictionary of PS3.6: the value representation of a tag when the encoding does not say it.
#pragma once
#include <cstddef>
#include <cstdint>

namespace voxcast {

constexpr uint16_t vr_code(char a, char b) {
  return static_cast<uint16_t>(static_cast<unsigned char>(a) << 8 | static_cast<unsigned char>(b));
}

namespace vr {
#define VOXCAST_VR(a, b) constexpr uint16_t a##b = vr_code(#a[0], #b[0]);
VOXCAST_VR(A, E) VOXCAST_VR(A, S) VOXCAST_VR(A, T) VOXCAST_VR(C, S) VOXCAST_VR(D, A) VOXCAST_VR(D, S) VOXCAST_VR(D, T)
VOXCAST_VR(F, D) VOXCAST_VR(F, L) VOXCAST_VR(I, S) VOXCAST_VR(L, O) VOXCAST_VR(L, T) VOXCAST_VR(O, B) VOXCAST_VR(O, D)
VOXCAST_VR(O, F) VOXCAST_VR(O, L) VOXCAST_VR(O, V) VOXCAST_VR(O, W) VOXCAST_VR(P, N) VOXCAST_VR(S, H) VOXCAST_VR(S, L)
VOXCAST_VR(S, Q) VOXCAST_VR(S, S) VOXCAST_VR(S, T) VOXCAST_VR(S, V) VOXCAST_VR(T, M) VOXCAST_VR(U, C) VOXCAST_VR(U, I)
VOXCAST_VR(U, L) VOXCAST_VR(U, N) VOXCAST_VR(U, R) VOXCAST_VR(U, S) VOXCAST_VR(U, T) VOXCAST_VR(U, V)
#undef VOXCAST_VR
// Not a VR: "US or SS" of PS3.6, decided by Pixel Representation.
constexpr uint16_t US_SS = vr_code('X', 'S');
}  // namespace vr

// The VR that PS3.6 gives a tag; UN where it gives none. "OB or OW" and "US or OW" are OW (what implicit VR means, PS3.5 A.1).
uint16_t dictionary_vr(uint32_t tag);
bool is_known_vr(uint16_t code);
bool has_long_length(uint16_t code);  // 32-bit length field in explicit VR (PS3.5 7.1.2)
size_t word_size(uint16_t code);      // bytes of what big endian turns round (PS3.5 7.3); 1 where there is nothing to turn

}  // namespace voxcast

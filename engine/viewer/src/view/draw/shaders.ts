// The programs that draw a frame: grey by a table of greys, colour as it is. One rectangle, every pixel of it looks its own up.

export const VERTEX = `#version 300 es
const vec2 CORNERS[4] = vec2[4](vec2(-1, -1), vec2(1, -1), vec2(-1, 1), vec2(1, 1));
void main() { gl_Position = vec4(CORNERS[gl_VertexID], 0, 1); }
`;

// From a pixel of the screen to one of the texture. A halved image has its pixels where every second one of the whole was
// (the low band of the 5/3 wavelet), so that nothing jumps when it becomes finer.
const COMMON = `#version 300 es
precision highp float;
precision highp int;
uniform mat3 toImage;    // from gl_FragCoord to pixels of the whole image
uniform vec2 extent;     // of the whole image
uniform float pitch;     // pixels of the whole image for one of the texture
uniform ivec2 size;      // of the texture
uniform int taps;        // 0: the nearest pixel; else so many interpolated samples on each side of a screen pixel
out vec4 colour;

bool isOutside(vec2 at) { return any(lessThan(at, vec2(0))) || any(greaterThanEqual(at, extent)); }
vec2 inTexture(vec2 at) { return (at - 0.5) / pitch + 0.5; }
ivec2 inside(ivec2 at) { return clamp(at, ivec2(0), size - 1); }
`;

/** `values` are stored values, `greys` the grey of each from `first` on, 256 in a row. */
export const GREY = `${COMMON}
uniform highp usampler2D values;
uniform sampler2D greys;
uniform int first;
uniform int last;        // of the table
uniform int signShift;   // 32 less the bits of a cell where values are signed; 0 where they are not
uniform ivec2 padding;   // stored values that are no anatomy; the first is larger when there are none

int valueAt(ivec2 at) {
  int cell = int(texelFetch(values, inside(at), 0).r);
  return signShift == 0 ? cell : (cell << signShift) >> signShift;
}
float greyOf(int value) {
  int at = clamp(value - first, 0, last);
  return texelFetch(greys, ivec2(at & 255, at >> 8), 0).r;
}
float nearest(vec2 t) { return greyOf(valueAt(ivec2(floor(t)))); }
float sampled(vec2 t) {
  vec2 p = t - 0.5;
  ivec2 at = ivec2(floor(p));
  vec2 part = p - vec2(at);
  int a = valueAt(at), b = valueAt(at + ivec2(1, 0)), c = valueAt(at + ivec2(0, 1)), d = valueAt(at + ivec2(1, 1));
  ivec4 all = ivec4(a, b, c, d);
  bvec4 isPadding = bvec4(ivec4(greaterThanEqual(all, ivec4(padding.x))) * ivec4(lessThanEqual(all, ivec4(padding.y))));
  // Between anatomy and what is none there is nothing.
  if (any(isPadding)) return nearest(t);
  float value = mix(mix(float(a), float(b), part.x), mix(float(c), float(d), part.x), part.y);
  int low = int(floor(value));
  return mix(greyOf(low), greyOf(low + 1), value - float(low));
}
void main() {
  vec2 at = (toImage * vec3(gl_FragCoord.xy, 1)).xy;
  if (isOutside(at)) { colour = vec4(0, 0, 0, 1); return; }
  float grey;
  if (taps == 0) grey = nearest(inTexture(at));
  else if (taps == 1) grey = sampled(inTexture(at));
  else {
    float sum = 0.0;
    for (int y = 0; y < taps; y++) for (int x = 0; x < taps; x++) {
      vec2 part = (vec2(x, y) + 0.5) / float(taps) - 0.5;
      vec2 beside = (toImage * vec3(gl_FragCoord.xy + part, 1)).xy;
      sum += sampled(inTexture(clamp(beside, vec2(0), extent)));
    }
    grey = sum / float(taps * taps);
  }
  colour = vec4(vec3(grey), 1);
}
`;

export const COLOUR = `${COMMON}
uniform sampler2D picture;
uniform bool isInverted;

vec3 colourAt(ivec2 at) { return texelFetch(picture, inside(at), 0).rgb; }
vec3 sampled(vec2 t) {
  vec2 p = t - 0.5;
  ivec2 at = ivec2(floor(p));
  vec2 part = p - vec2(at);
  vec3 above = mix(colourAt(at), colourAt(at + ivec2(1, 0)), part.x);
  vec3 below = mix(colourAt(at + ivec2(0, 1)), colourAt(at + ivec2(1, 1)), part.x);
  return mix(above, below, part.y);
}
void main() {
  vec2 at = (toImage * vec3(gl_FragCoord.xy, 1)).xy;
  if (isOutside(at)) { colour = vec4(0, 0, 0, 1); return; }
  vec3 found;
  if (taps == 0) found = colourAt(ivec2(floor(inTexture(at))));
  else {
    found = vec3(0);
    for (int y = 0; y < taps; y++) for (int x = 0; x < taps; x++) {
      vec2 part = (vec2(x, y) + 0.5) / float(taps) - 0.5;
      vec2 beside = (toImage * vec3(gl_FragCoord.xy + part, 1)).xy;
      found += sampled(inTexture(clamp(beside, vec2(0), extent)));
    }
    found /= float(taps * taps);
  }
  colour = vec4(isInverted ? 1.0 - found : found, 1);
}
`;

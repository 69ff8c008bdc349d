// The rays of rays.ts for the graphics card: the same samples, tables and light; it passes nothing over, for it has samples to spare.
import { AMBIENT, DIFFUSE, ENOUGH, EVEN, FAINT, FLAT, SHINE } from './rays';
import { TABLE } from './look';

export const WHOLE_SCREEN = `#version 300 es
void main() {
  gl_Position = vec4(vec2(gl_VertexID == 1 ? 3.0 : -1.0, gl_VertexID == 2 ? 3.0 : -1.0), 0.0, 1.0);
}`;

export const RAY = `#version 300 es
precision highp float;
precision highp sampler3D;
uniform sampler3D voxels;
uniform sampler2D table;
uniform float fromRow, first, scale, unit;
uniform vec3 start, across, down, into, low, high, sizes, per, light, half_;
uniform bool isLargest, isShaded;
out vec4 colour;

float at(vec3 place) { return texture(voxels, (place + 0.5) / sizes).r * unit; }
vec4 entry(float value) { return texelFetch(table, ivec2(int(clamp(value, 0.0, ${TABLE - 1}.0)), 0), 0); }

void main() {
  vec3 from = start + (gl_FragCoord.x - 0.5) * across + (fromRow + gl_FragCoord.y - 0.5) * down;
  colour = vec4(0.0, 0.0, 0.0, 1.0);
  float enter = -1e9;
  float leave = 1e9;
  for (int axis = 0; axis < 3; axis++) {
    if (abs(into[axis]) < 1e-9) {
      if (from[axis] < low[axis] || from[axis] > high[axis]) return;
      continue;
    }
    float a = (low[axis] - from[axis]) / into[axis];
    float b = (high[axis] - from[axis]) / into[axis];
    enter = max(enter, min(a, b));
    leave = min(leave, max(a, b));
  }
  int begin = int(ceil(enter - 1e-4));
  int end = int(floor(leave + 1e-4));
  float largest = -1e30;
  vec3 seen = vec3(0.0);
  float held = 0.0;
  for (int step_ = begin; step_ <= end; step_++) {
    vec3 place = from + float(step_) * into;
    float value = (at(place) - first) * scale;
    if (isLargest) {
      largest = max(largest, value);
      continue;
    }
    vec4 found = entry(value);
    if (found.a < 1e-4) continue;
    float part = (1.0 - held) * found.a;
    float shade = isShaded ? ${EVEN.toFixed(4)} : 1.0;
    float shine = 0.0;
    if (isShaded && part > ${FAINT}) {
      vec3 slope = per * vec3(
        at(place + vec3(1, 0, 0)) - at(place - vec3(1, 0, 0)),
        at(place + vec3(0, 1, 0)) - at(place - vec3(0, 1, 0)),
        at(place + vec3(0, 0, 1)) - at(place - vec3(0, 0, 1)));
      float size = length(slope);
      if (size > ${FLAT}) {
        shade = ${AMBIENT.toFixed(4)} + ${DIFFUSE.toFixed(4)} * abs(dot(slope, light)) / size;
        shine = ${SHINE.toFixed(4)} * pow(abs(dot(slope, half_)) / size, 16.0);
      }
    }
    seen += part * (shade * found.rgb + shine);
    held += part;
    if (held > ${ENOUGH.toFixed(4)}) break;
  }
  if (isLargest && largest > -1e30) seen = entry(largest + 0.5).rgb;
  colour = vec4(seen, 1.0);
}`;

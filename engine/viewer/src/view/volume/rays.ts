// Parallel rays through a grid: what each meets, from the reader's eye on (PS3.3 C.11.25: composited, or the largest value).
import { CUBE, type Grid } from './grid';
import { TABLE, type Look } from './look';

/** Rays in samples of a grid: that of pixel (x, y) is start + x × across + y × down, in steps of `into` before and behind. */
export interface Rays {
  readonly width: number;
  readonly height: number;
  readonly start: Triple;
  readonly across: Triple;
  readonly down: Triple;
  readonly into: Triple;
  /** What is cut away: samples beside these are not there. */
  readonly low: Triple;
  readonly high: Triple;
  /** For each axis of the grid: millimetres between samples, the direction of the light and that of the eye. */
  readonly steps: Triple;
  readonly light: Triple;
  readonly eye: Triple;
  /** 2: where nothing is seen a ray takes two steps at a time, and goes one back when it comes upon something. */
  readonly stride: 1 | 2;
}

export type Triple = readonly [number, number, number];

export const ENOUGH = 0.98; // of the light is held up: nothing behind it is seen
export const AMBIENT = 0.3;
export const DIFFUSE = 0.7;
export const SHINE = 0.18;
/** Of the light; what holds up less is lit as anything is on the whole. */
export const FAINT = 0.003;
export const EVEN = AMBIENT + DIFFUSE / 2;
export const FLAT = 1e-3; // a slope that is none, in table entries a millimetre

/**
 * Rows of a picture, a word of red, green, blue and 255 for each pixel, by bytes.
 * @param table of the look, for the length of a step
 */
export function castRays(grid: Grid, look: Look, table: Float32Array, rays: Rays, fromRow: number, toRow: number): Uint8Array<ArrayBuffer> {
  const { values, sizes, cubes, isSeen, lows, highs } = grid;
  const [width, height] = sizes;
  const [lastX, lastY, lastZ] = [width - 2, height - 2, sizes[2] - 2];
  const plane = width * height;
  const [cubesX, cubesXY] = [cubes[0], cubes[0] * cubes[1]];
  const [dx, dy, dz] = rays.into;
  const [lowX, lowY, lowZ] = rays.low;
  const [highX, highY, highZ] = rays.high;
  const isLargest = look.method === 'largest';
  const { first, scale, isShaded } = look;
  const { stride } = rays;
  const isDescending = scale < 0; // the largest modality value is the smallest stored one
  const [perX, perY, perZ] = [scale / rays.steps[0], scale / rays.steps[1], scale / rays.steps[2]];
  const [lightX, lightY, lightZ] = rays.light;
  const [halfX, halfY, halfZ] = unit([rays.light[0] + rays.eye[0], rays.light[1] + rays.eye[1], rays.light[2] + rays.eye[2]]);
  const out = new Uint8Array(4 * rays.width * (toRow - fromRow));

  /** Between the eight samples around a place; cut to the grid. */
  const at = (x: number, y: number, z: number): number => {
    const ix = x <= 0 ? 0 : x > lastX ? lastX : x | 0;
    const iy = y <= 0 ? 0 : y > lastY ? lastY : y | 0;
    const iz = z <= 0 ? 0 : z > lastZ ? lastZ : z | 0;
    const fx = x - ix;
    const fy = y - iy;
    const k = ix + width * iy + plane * iz;
    const l = k + plane;
    const a = (values[k] as number) + fx * ((values[k + 1] as number) - (values[k] as number));
    const b = (values[k + width] as number) + fx * ((values[k + width + 1] as number) - (values[k + width] as number));
    const c = (values[l] as number) + fx * ((values[l + 1] as number) - (values[l] as number));
    const d = (values[l + width] as number) + fx * ((values[l + width + 1] as number) - (values[l + width] as number));
    const near = a + fy * (b - a);
    return near + (z - iz) * (c + fy * (d - c) - near);
  };

  for (let row = fromRow, to = 0; row < toRow; row++) {
    for (let column = 0; column < rays.width; column++, to += 4) {
      const x0 = rays.start[0] + column * rays.across[0] + row * rays.down[0];
      const y0 = rays.start[1] + column * rays.across[1] + row * rays.down[1];
      const z0 = rays.start[2] + column * rays.across[2] + row * rays.down[2];
      out[to + 3] = 255;
      let enter = -Infinity;
      let leave = Infinity;
      if (dx !== 0) [enter, leave] = cut(enter, leave, (lowX - x0) / dx, (highX - x0) / dx);
      else if (x0 < lowX || x0 > highX) continue;
      if (dy !== 0) [enter, leave] = cut(enter, leave, (lowY - y0) / dy, (highY - y0) / dy);
      else if (y0 < lowY || y0 > highY) continue;
      if (dz !== 0) [enter, leave] = cut(enter, leave, (lowZ - z0) / dz, (highZ - z0) / dz);
      else if (z0 < lowZ || z0 > highZ) continue;
      // Samples lie on whole steps whatever the ray meets: another cut changes nothing of what is left.
      let step = Math.ceil(enter - 1e-6);
      const end = Math.floor(leave + 1e-6);
      // What is no larger than the first entry is as dark as that, and what is as large as the last cannot become brighter.
      let largest = isDescending ? -first : first;
      const most = largest + (TABLE - 1) / Math.abs(scale);
      const hasEntered = step <= end;
      // Where nothing is seen only even places are looked at; the odd one before the first of which something is seen is not left out.
      let hasJumped = false;
      let red = 0;
      let green = 0;
      let blue = 0;
      let held = 0;
      while (step <= end) {
        const x = x0 + step * dx;
        const y = y0 + step * dy;
        const z = z0 + step * dz;
        const cx = x <= 0 ? 0 : x > lastX ? lastX >> 3 : (x | 0) >> 3;
        const cy = y <= 0 ? 0 : y > lastY ? lastY >> 3 : (y | 0) >> 3;
        const cz = z <= 0 ? 0 : z > lastZ ? lastZ >> 3 : (z | 0) >> 3;
        const cube = cx + cubesX * cy + cubesXY * cz;
        const isPassed = isLargest ? (isDescending ? -(lows[cube] as number) : (highs[cube] as number)) <= largest : isSeen[cube] === 0;
        if (isPassed) {
          const wayX = dx > 0 ? ((cx + 1) * CUBE - x) / dx : dx < 0 ? (cx * CUBE - x) / dx : Infinity;
          const wayY = dy > 0 ? ((cy + 1) * CUBE - y) / dy : dy < 0 ? (cy * CUBE - y) / dy : Infinity;
          const wayZ = dz > 0 ? ((cz + 1) * CUBE - z) / dz : dz < 0 ? (cz * CUBE - z) / dz : Infinity;
          const way = wayX < wayY ? (wayX < wayZ ? wayX : wayZ) : wayY < wayZ ? wayY : wayZ;
          step += way > 1 ? Math.floor(way) : 1;
          hasJumped = stride > 1 && !isLargest && (step & 1) !== 0 && step < end;
          if (hasJumped) step++;
          continue;
        }
        const value = at(x, y, z);
        if (isLargest) {
          step++;
          const signed = isDescending ? -value : value;
          if (signed > largest) {
            largest = signed;
            if (largest >= most) break;
          }
          continue;
        }
        const place = (value - first) * scale;
        const entry = 4 * (place <= 0 ? 0 : place >= TABLE - 1 ? TABLE - 1 : place | 0);
        const opacity = table[entry + 3] as number;
        if (opacity < 1e-4) {
          hasJumped = stride > 1 && (step & 1) === 0 && step + 2 <= end;
          step += hasJumped ? 2 : 1;
          continue;
        }
        if (hasJumped) {
          hasJumped = false;
          step--;
          continue;
        }
        step++;
        const part = (1 - held) * opacity;
        let shade = isShaded ? EVEN : 1;
        let shine = 0;
        if (isShaded && part > FAINT) {
          const gx = (at(x + 1, y, z) - at(x - 1, y, z)) * perX;
          const gy = (at(x, y + 1, z) - at(x, y - 1, z)) * perY;
          const gz = (at(x, y, z + 1) - at(x, y, z - 1)) * perZ;
          const size = Math.sqrt(gx * gx + gy * gy + gz * gz);
          if (size > FLAT) {
            // Either side of a surface is lit: which one is the inner is not known.
            shade = AMBIENT + (DIFFUSE * Math.abs(gx * lightX + gy * lightY + gz * lightZ)) / size;
            const half = Math.abs(gx * halfX + gy * halfY + gz * halfZ) / size;
            const four = half * half * half * half;
            shine = SHINE * four * four * four * four;
          }
        }
        red += part * (shade * (table[entry] as number) + shine);
        green += part * (shade * (table[entry + 1] as number) + shine);
        blue += part * (shade * (table[entry + 2] as number) + shine);
        held += part;
        if (held > ENOUGH) break;
      }
      if (isLargest && hasEntered) {
        const place = ((isDescending ? -largest : largest) - first) * scale;
        const entry = 4 * (place <= 0 ? 0 : place >= TABLE - 1 ? TABLE - 1 : Math.round(place));
        red = table[entry] as number;
        green = table[entry + 1] as number;
        blue = table[entry + 2] as number;
      }
      out[to] = red >= 1 ? 255 : red * 255 + 0.5;
      out[to + 1] = green >= 1 ? 255 : green * 255 + 0.5;
      out[to + 2] = blue >= 1 ? 255 : blue * 255 + 0.5;
    }
  }
  return out;
}

function cut(enter: number, leave: number, a: number, b: number): [number, number] {
  return a < b ? [a > enter ? a : enter, b < leave ? b : leave] : [b > enter ? b : enter, a < leave ? a : leave];
}

export function unit(of: Triple): Triple {
  const length = Math.hypot(...of) || 1;
  return [of[0] / length, of[1] / length, of[2] / length];
}

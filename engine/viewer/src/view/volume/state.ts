// How a rendering is seen, as words of the address: a view can be shared (docs/viewer.md).
import { FRONT, upright, type Orbit } from './orbit';
import type { Shift } from './look';

export type Kept = readonly [readonly [number, number], readonly [number, number], readonly [number, number]];

export interface VolumeState {
  /** Name of a preset; empty: the first one of the series. */
  readonly preset: string;
  readonly orbit: Orbit;
  readonly shift: Shift;
  /** Parts of each axis of the volume (rows, columns, frames) that are not cut away. */
  readonly kept: Kept;
}

export const WHOLE: Kept = [[0, 1], [0, 1], [0, 1]];
export const UNMOVED: Shift = { shift: 0, stretch: 1 };
export const AT_FIRST: VolumeState = { preset: '', orbit: FRONT, shift: UNMOVED, kept: WHOLE };
export const STRETCH = [0.05, 20] as const;
const SHIFT_MAX = 1e6;
const THICK_MIN = 0.01; // of an axis is always left

/** Numbers joined by commas: preset, right and down of the screen, zoom and place, shift and stretch, what is kept. */
export function written({ preset, orbit, shift, kept }: VolumeState): string {
  const numbers = [...orbit.right, ...orbit.down, orbit.zoom, orbit.pan.x, orbit.pan.y, shift.shift, shift.stretch, ...kept.flat()];
  return [preset, ...numbers.map((number) => String(Number(number.toFixed(4))))].join(',');
}

/** What was written; what cannot be meant is as it is at first. */
export function read(text: string): VolumeState {
  const [preset = '', ...words] = text.split(',');
  const numbers = words.map(Number);
  if (numbers.length !== 17 || !numbers.every(Number.isFinite)) return { ...AT_FIRST, preset };
  const at = (index: number) => numbers[index] ?? 0;
  const right = [at(0), at(1), at(2)] as const;
  const down = [at(3), at(4), at(5)] as const;
  const across = Math.hypot(right[1] * down[2] - right[2] * down[1], right[2] * down[0] - right[0] * down[2], right[0] * down[1] - right[1] * down[0]);
  const ways = across < 0.1 ? FRONT : { right, down }; // two that are one would say nothing of the third
  const orbit = upright({ ...ways, zoom: within(at(6), 0.2, 40), pan: { x: within(at(7), -40, 40), y: within(at(8), -40, 40) } });
  const shift = { shift: within(at(9), -SHIFT_MAX, SHIFT_MAX), stretch: within(at(10), ...STRETCH) };
  const kept = [11, 13, 15].map((from) => ordered(at(from), at(from + 1))) as unknown as Kept;
  return { preset, orbit, shift, kept };
}

/** Two parts of an axis, the smaller first, never so near that nothing is left. */
export function ordered(low: number, high: number): readonly [number, number] {
  const from = within(Math.min(low, high), 0, 1 - THICK_MIN);
  return [from, within(Math.max(low, high), from + THICK_MIN, 1)];
}

export function within(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}

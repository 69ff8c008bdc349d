// From where a volume is seen: which way the screen lies in the patient (PS3.3 C.7.6.2: left, behind, up are positive), how large, where.
import { cross, dot, type Vector } from '../dicom/frame';
import type { Size } from '../draw/camera';
import type { Point } from '../draw/matrix';
import type { Volume } from '../geometry/volume';
import type { View } from './job';

export interface Orbit {
  /** Of the screen, of length 1, in the patient. */
  readonly right: Vector;
  readonly down: Vector;
  /** 1: the whole volume fits, from each of the six sides. */
  readonly zoom: number;
  /** Of the volume's middle from the screen's, in parts of its smaller side. */
  readonly pan: Point;
}

export type Side = 'A' | 'P' | 'L' | 'R' | 'H' | 'F';

/** Seen from each side, as readers know them: upright; from above with the front up, from below as axial images are. */
export const SIDES: Readonly<Record<Side, readonly [Vector, Vector]>> = {
  A: [[1, 0, 0], [0, 0, -1]],
  P: [[-1, 0, 0], [0, 0, -1]],
  L: [[0, 1, 0], [0, 0, -1]],
  R: [[0, -1, 0], [0, 0, -1]],
  H: [[-1, 0, 0], [0, 1, 0]],
  F: [[1, 0, 0], [0, 1, 0]],
};

export const FRONT: Orbit = { right: SIDES.A[0], down: SIDES.A[1], zoom: 1, pan: { x: 0, y: 0 } };
const FILL = 0.95; // of the smaller side of the screen is the volume's longest
const ZOOM = [0.2, 40] as const;

/** Where the eye looks. */
export function into({ right, down }: Orbit): Vector {
  return cross(right, down);
}

export function seenFrom(orbit: Orbit, side: Side): Orbit {
  const [right, down] = SIDES[side];
  return { ...orbit, right, down };
}

/** The volume turned by a hand on it: what is in front goes so many radians to the right and down. */
export function turned(orbit: Orbit, right: number, down: number): Orbit {
  const angle = Math.hypot(right, down);
  if (angle < 1e-9) return orbit;
  const eye = into(orbit);
  // The way of the hand on the screen, and what is across it and stays.
  const way = plus(times(orbit.right, right / angle), times(orbit.down, down / angle));
  const turn = (of: Vector): Vector => {
    const [along, deep] = [dot(of, way), dot(of, eye)];
    const still = plus(of, plus(times(way, -along), times(eye, -deep)));
    const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
    // The camera goes the other way: what was beside it comes in front.
    return plus(still, plus(times(way, along * cos + deep * sin), times(eye, deep * cos - along * sin)));
  };
  return upright({ ...orbit, right: turn(orbit.right), down: turn(orbit.down) });
}

export function zoomed(orbit: Orbit, factor: number, around: Point, size: Size): Orbit {
  const zoom = Math.min(Math.max(orbit.zoom * factor, ZOOM[0]), ZOOM[1]);
  const ratio = zoom / orbit.zoom;
  const side = Math.min(size.width, size.height);
  const from = { x: (around.x - size.width / 2) / side, y: (around.y - size.height / 2) / side };
  return { ...orbit, zoom, pan: limited({ x: from.x - (from.x - orbit.pan.x) * ratio, y: from.y - (from.y - orbit.pan.y) * ratio }) };
}

/** By so many pixels of a screen of that size. */
export function moved(orbit: Orbit, right: number, down: number, size: Size): Orbit {
  const side = Math.min(size.width, size.height);
  return { ...orbit, pan: limited({ x: orbit.pan.x + right / side, y: orbit.pan.y + down / side }) };
}

/** Millimetres of one pixel of a screen of that size. */
export function millimetres({ zoom }: Orbit, volume: Volume, size: Size): number {
  const longest = Math.max(...volume.axes.map(({ step, count }) => step * count));
  return longest / (FILL * Math.min(size.width, size.height) * zoom);
}

/** The rays of a screen of that size through a volume; `kept`: parts of each axis that are not cut away. */
export function viewOf(orbit: Orbit, volume: Volume, size: Size, kept: View['kept']): View {
  const pixel = millimetres(orbit, volume, size);
  const side = Math.min(size.width, size.height);
  const eye = into(orbit);
  // In the volume's own axes, which are at right angles.
  const own = (of: Vector, by: number) => volume.axes.map(({ direction }) => by * dot(of, direction)) as unknown as Vector;
  const x = 0.5 - size.width / 2 - orbit.pan.x * side;
  const y = 0.5 - size.height / 2 - orbit.pan.y * side;
  return {
    width: size.width,
    height: size.height,
    corner: own(plus(times(orbit.right, x), times(orbit.down, y)), pixel),
    across: own(orbit.right, pixel),
    down: own(orbit.down, pixel),
    into: own(eye, 1),
    kept,
  };
}

/** At right angles and of length 1 again: many small turns add up. */
export function upright(orbit: Orbit): Orbit {
  const right = times(orbit.right, 1 / Math.max(Math.hypot(...orbit.right), 1e-9));
  const across = plus(orbit.down, times(right, -dot(orbit.down, right)));
  return { ...orbit, right, down: times(across, 1 / Math.max(Math.hypot(...across), 1e-9)) };
}

function limited({ x, y }: Point): Point {
  const most = ZOOM[1];
  return { x: Math.min(Math.max(x, -most), most), y: Math.min(Math.max(y, -most), most) };
}

function plus(a: Vector, b: Vector): Vector {
  return [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
}

function times(a: Vector, by: number): Vector {
  return [a[0] * by, a[1] * by, a[2] * by];
}

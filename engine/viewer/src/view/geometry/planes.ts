// Frames in the patient: the nearest slice to a place, the line in which two planes meet, a pixel's place and back.
import { cross, dot, length, type FrameHeader, type Plane, type Spacing, type Vector } from '../dicom/frame';
import type { Point } from '../draw/matrix';

/** A plane with what a pixel measures in it. */
export interface Placed {
  readonly plane: Plane;
  readonly spacing: Spacing;
  readonly rows: number;
  readonly columns: number;
}

/** What of a frame can be placed in the patient; undefined when its header does not say where it is. */
export function placed(frame: FrameHeader): Placed | undefined {
  const { plane, spacing, rows, columns } = frame;
  if (plane === undefined || spacing === undefined || spacing.isAtDetector) return undefined;
  return { plane, spacing, rows, columns };
}

export function normalOf(plane: Plane): Vector {
  return cross(plane.row, plane.column);
}

/** Where a plane lies along its normal, in millimetres. */
export function depthOf(plane: Plane, normal = normalOf(plane)): number {
  return dot(plane.position, normal);
}

/** Millimetres in the patient of a pixel (0, 0 is the corner of the first one; its middle is at 0.5, 0.5). */
export function patientPoint({ plane, spacing }: Placed, at: Point): Vector {
  const across = (at.x - 0.5) * spacing.column;
  const down = (at.y - 0.5) * spacing.row;
  return [0, 1, 2].map((axis) => (plane.position[axis] ?? 0) + (plane.row[axis] ?? 0) * across + (plane.column[axis] ?? 0) * down) as unknown as Vector;
}

/** The pixel below a place in the patient, seen along the normal. */
export function pixelPoint({ plane, spacing }: Placed, at: Vector): Point {
  const from: Vector = [at[0] - plane.position[0], at[1] - plane.position[1], at[2] - plane.position[2]];
  return { x: dot(from, plane.row) / spacing.column + 0.5, y: dot(from, plane.column) / spacing.row + 0.5 };
}

/** Whether places of one mean the same in the other. */
export function isSameSpace(a: Plane, b: Plane): boolean {
  return a.frameOfReferenceUid !== '' && a.frameOfReferenceUid === b.frameOfReferenceUid;
}

/** Whether two planes are cut the same way, give or take two degrees. */
export function isParallel(a: Plane, b: Plane): boolean {
  return Math.abs(dot(normalOf(a), normalOf(b))) > 0.9994;
}

/** The position of the frame that lies nearest to a place; undefined when none says where it is. */
export function nearestPosition(frames: readonly (Plane | undefined)[], at: Vector): number | undefined {
  let found: number | undefined;
  let least = Infinity;
  frames.forEach((plane, position) => {
    if (plane === undefined) return;
    const normal = normalOf(plane);
    const distance = Math.abs(dot(at, normal) - depthOf(plane, normal));
    if (distance < least) [found, least] = [position, distance];
  });
  return found;
}

/** Where the frame `of` cuts the frame `on`: two pixels of `on` at the ends of the line; undefined when they do not meet. */
export function cutLine(on: Placed, of: Placed): [Point, Point] | undefined {
  if (!isSameSpace(on.plane, of.plane) || isParallel(on.plane, of.plane)) return undefined;
  const normal = normalOf(on.plane);
  const depth = depthOf(on.plane, normal);
  const corners = [[0, 0], [of.columns, 0], [of.columns, of.rows], [0, of.rows]].map(([x = 0, y = 0]) => patientPoint(of, { x, y }));
  const sides = corners.map((corner) => dot(corner, normal) - depth);
  const meets: Point[] = [];
  for (let at = 0; at < 4; at++) {
    const [a, b] = [sides[at] ?? 0, sides[(at + 1) % 4] ?? 0];
    if (a > 0 === b > 0) continue;
    const part = a / (a - b);
    const [from, to] = [corners[at], corners[(at + 1) % 4]];
    if (from === undefined || to === undefined) continue;
    meets.push(pixelPoint(on, [0, 1, 2].map((axis) => (from[axis] ?? 0) + part * ((to[axis] ?? 0) - (from[axis] ?? 0))) as unknown as Vector));
  }
  const [first, second] = meets;
  return first === undefined || second === undefined ? undefined : [first, second];
}

export function distanceOf(a: Vector, b: Vector): number {
  return length([a[0] - b[0], a[1] - b[1], a[2] - b[2]]);
}

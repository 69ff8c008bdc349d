// How an image lies in its viewport: size, place, quarter turns, mirrored or not.
import { apply, inverse, type Matrix, type Point } from './matrix';

/** An image as the camera sees it: its pixels, and how much taller than wide each is. */
export interface Extent {
  readonly columns: number;
  readonly rows: number;
  readonly aspect: number;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Camera {
  /** Screen pixels for one column; undefined: as large as fits. */
  readonly zoom: number | undefined;
  /** From the middle of the viewport to the middle of the image, in screen pixels. */
  readonly pan: Point;
  /** Quarter turns, clockwise. */
  readonly turns: 0 | 1 | 2 | 3;
  /** Left and right of the stored image changed, before it is turned. */
  readonly isMirrored: boolean;
}

export const STANDARD: Camera = { zoom: undefined, pan: { x: 0, y: 0 }, turns: 0, isMirrored: false };
const ZOOM_MIN = 0.02;
const ZOOM_MAX = 64;

/** Screen pixels for one column. */
export function scaleOf(camera: Camera, image: Extent, view: Size): number {
  if (camera.zoom !== undefined) return camera.zoom;
  const height = image.rows * image.aspect;
  const [wide, tall] = camera.turns % 2 === 0 ? [image.columns, height] : [height, image.columns];
  return Math.max(Math.min(view.width / wide, view.height / tall), 1e-6);
}

/** From pixels of the stored image (0, 0 is the corner of the first one) to screen pixels of the viewport. */
export function toScreen(camera: Camera, image: Extent, view: Size): Matrix {
  const scale = scaleOf(camera, image, view);
  const [cos, sin] = ([[1, 0], [0, 1], [-1, 0], [0, -1]] as const)[camera.turns];
  const across = scale * (camera.isMirrored ? -1 : 1);
  const down = scale * image.aspect;
  const m = { a: cos * across, b: sin * across, c: -sin * down, d: cos * down };
  const middle = { x: view.width / 2 + camera.pan.x, y: view.height / 2 + camera.pan.y };
  let e = middle.x - (m.a * image.columns + m.c * image.rows) / 2;
  let f = middle.y - (m.b * image.columns + m.d * image.rows) / 2;
  // On whole pixels, so that 1:1 is the very pixels.
  if (Number.isInteger(scale)) [e, f] = [Math.round(e), Math.round(f)];
  return { ...m, e, f };
}

/** Zoom by a factor; what is at `around` stays there. */
export function zoomed(camera: Camera, image: Extent, view: Size, factor: number, around: Point): Camera {
  const before = scaleOf(camera, image, view);
  const zoom = Math.min(Math.max(before * factor, ZOOM_MIN), ZOOM_MAX);
  const from = { x: around.x - view.width / 2, y: around.y - view.height / 2 };
  const ratio = zoom / before;
  return { ...camera, zoom, pan: { x: from.x - (from.x - camera.pan.x) * ratio, y: from.y - (from.y - camera.pan.y) * ratio } };
}

/** A quarter turn clockwise of what is seen. */
export function turned(camera: Camera): Camera {
  return { ...camera, turns: ((camera.turns + 1) % 4) as Camera['turns'] };
}

/** Left and right of what is seen changed. */
export function mirrored(camera: Camera): Camera {
  return { ...camera, isMirrored: !camera.isMirrored, turns: ((4 - camera.turns) % 4) as Camera['turns'] };
}

/** The pixel of the stored image that is at a place on the screen. */
export function toImage(camera: Camera, image: Extent, view: Size, at: Point): Point {
  return apply(inverse(toScreen(camera, image, view)), at);
}

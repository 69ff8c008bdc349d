// The displayed area and the spatial transformation of a presentation state (PS3.3 C.10.4, C.10.6), from a camera and back.
import { scaleOf, toImage, toScreen, type Camera, type Extent, type Size } from '../draw/camera';
import { apply, type Point } from '../draw/matrix';

export interface Area {
  /** Numbers of columns and rows, from 1, of the pixels in the corners that are top left and bottom right after the transformation. */
  readonly topLeft: readonly [number, number];
  readonly bottomRight: readonly [number, number];
}

/** Degrees clockwise, before it is mirrored. */
export interface Transformation {
  readonly rotation: 0 | 90 | 180 | 270;
  readonly isFlipped: boolean;
}

/** The camera mirrors first and turns then; a state turns first. */
export function transformationOf({ turns, isMirrored }: Camera): Transformation {
  return { rotation: ((isMirrored ? (4 - turns) % 4 : turns) * 90) as Transformation['rotation'], isFlipped: isMirrored };
}

/** What of the image is seen, in whole pixels; all of it while it fits. */
export function areaOf(camera: Camera, image: Extent, view: Size): Area {
  const isWhole = camera.zoom === undefined && camera.pan.x === 0 && camera.pan.y === 0;
  const scale = scaleOf(camera, image, view);
  const seen = isWhole ? { ...view, ...sizeOf(camera, image, scale) } : view;
  const from = toImage(camera, image, seen, { x: 0, y: 0 });
  const to = toImage(camera, image, seen, { x: seen.width, y: seen.height });
  const [left, right] = numbers(from.x, to.x);
  const [top, bottom] = numbers(from.y, to.y);
  return { topLeft: [left, top], bottomRight: [right, bottom] };
}

function sizeOf(camera: Camera, image: Extent, scale: number): Size {
  const [wide, tall] = [image.columns * scale, image.rows * image.aspect * scale];
  return camera.turns % 2 === 0 ? { width: wide, height: tall } : { width: tall, height: wide };
}

/** The pixels at both ends of a stretch, whichever end comes first; at least one. */
function numbers(from: number, to: number): [number, number] {
  const low = Math.round(Math.min(from, to));
  const high = Math.max(Math.round(Math.max(from, to)), low + 1);
  return from <= to ? [low + 1, high] : [high, low + 1];
}

/** The camera that shows an area as large as the viewport allows; `magnification`: screen pixels for a column, where that is said. */
export function cameraOf({ topLeft, bottomRight }: Area, { rotation, isFlipped }: Transformation, image: Extent, view: Size, magnification?: number): Camera {
  const quarter = rotation / 90;
  const turns = (isFlipped ? (4 - quarter) % 4 : quarter) as Camera['turns'];
  const camera: Camera = { zoom: undefined, pan: { x: 0, y: 0 }, turns, isMirrored: isFlipped };
  const [left, right] = [Math.min(topLeft[0], bottomRight[0]) - 1, Math.max(topLeft[0], bottomRight[0])];
  const [top, bottom] = [Math.min(topLeft[1], bottomRight[1]) - 1, Math.max(topLeft[1], bottomRight[1])];
  if (magnification === undefined && left === 0 && top === 0 && right === image.columns && bottom === image.rows) return camera;
  const [wide, tall] = [right - left, (bottom - top) * image.aspect];
  const zoom = magnification ?? (turns % 2 === 0 ? Math.min(view.width / wide, view.height / tall) : Math.min(view.width / tall, view.height / wide));
  const middle = apply(toScreen({ ...camera, zoom }, image, view), { x: (left + right) / 2, y: (top + bottom) / 2 });
  return { ...camera, zoom, pan: { x: view.width / 2 - middle.x, y: view.height / 2 - middle.y } };
}

/** The place in the image of one that is said in parts of the displayed area as it is seen (units DISPLAY, PS3.3 C.10.5.1.2). */
export function displayedPoint({ topLeft, bottomRight }: Area, { rotation, isFlipped }: Transformation, { x, y }: Point): Point {
  const across = isFlipped ? 1 - x : x;
  const [u, v] = ({ 0: [across, y], 90: [y, 1 - across], 180: [1 - across, 1 - y], 270: [1 - y, across] } as const)[rotation];
  const [left, right] = [Math.min(topLeft[0], bottomRight[0]) - 1, Math.max(topLeft[0], bottomRight[0])];
  const [top, bottom] = [Math.min(topLeft[1], bottomRight[1]) - 1, Math.max(topLeft[1], bottomRight[1])];
  return { x: left + u * (right - left), y: top + v * (bottom - top) };
}

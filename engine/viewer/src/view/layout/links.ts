// What viewports have to do with each other: scrolling by the place in the patient, lines where their planes cut, one crosshair.
import type { Vector } from '../dicom/frame';
import { cutLine, depthOf, isParallel, isSameSpace, nearestPosition, normalOf, patientPoint, pixelPoint, placed } from '../geometry/planes';
import { apply, type Point } from '../draw/matrix';
import type { Viewport } from '../viewport/viewport';
import { personOf, textOf } from '../dicom/attributes';

/** The viewports that show the same cut of the same space go where this one is. */
export function follow(leader: Viewport, all: readonly Viewport[]): void {
  const plane = leader.header?.plane;
  for (const other of all) {
    const theirs = other.header?.plane;
    if (other === leader || other.stack === undefined) continue;
    if (plane === undefined || theirs === undefined || !isSameSpace(plane, theirs) || !isParallel(plane, theirs)) continue;
    const position = nearestPosition(other.stack.frames.map(({ header }) => header.plane), plane.position);
    // Beside the other's ends nothing is shown as if it were the same place.
    if (position !== undefined && isNear(other, position, plane.position)) other.go(position);
  }
}

/** Whether a frame lies no further from a place than the distance between frames. */
function isNear(viewport: Viewport, position: number, at: Vector): boolean {
  const planes = viewport.stack?.frames.map(({ header }) => header.plane) ?? [];
  const here = planes[position];
  const beside = planes[position + 1] ?? planes[position - 1];
  if (here === undefined) return false;
  const normal = normalOf(here);
  const step = beside === undefined ? 1 : Math.abs(depthOf(beside, normal) - depthOf(here, normal));
  return Math.abs(depthOf({ ...here, position: at }, normal) - depthOf(here, normal)) <= Math.max(step, 0.5);
}

/** Every viewport of the same space goes to the frame that holds a place in the patient. */
export function goTo(at: Vector, from: Viewport, all: readonly Viewport[]): void {
  const plane = from.header?.plane;
  for (const other of all) {
    const theirs = other.header?.plane;
    if (other === from || plane === undefined || theirs === undefined || other.stack === undefined || !isSameSpace(plane, theirs)) continue;
    const position = nearestPosition(other.stack.frames.map(({ header }) => header.plane), at);
    if (position !== undefined) other.go(position, true);
  }
}

/** Where a place in the patient is on a viewport, in its screen pixels; undefined when it is not of that space. */
export function onScreen(at: Vector, of: Viewport, viewport: Viewport): Point | undefined {
  const [plane, header, matrix] = [of.header?.plane, viewport.header, viewport.matrix];
  const mine = header === undefined ? undefined : placed(header);
  if (plane === undefined || mine === undefined || matrix === undefined || !isSameSpace(plane, mine.plane)) return undefined;
  return apply(matrix, pixelPoint(mine, at));
}

/** The place in the patient below a point of the screen. */
export function inPatient(viewport: Viewport, at: Point): Vector | undefined {
  const mine = viewport.header === undefined ? undefined : placed(viewport.header);
  const pixel = viewport.imagePoint(at);
  return mine === undefined || pixel === undefined ? undefined : patientPoint(mine, pixel);
}

/** The line on `on` in which the frame of `of` cuts it, in screen pixels. */
export function referenceLine(on: Viewport, of: Viewport): [Point, Point] | undefined {
  const [mine, theirs, matrix] = [on.header && placed(on.header), of.header && placed(of.header), on.matrix];
  if (mine === undefined || theirs === undefined || matrix === undefined) return undefined;
  const line = cutLine(mine, theirs);
  return line === undefined ? undefined : [apply(matrix, line[0]), apply(matrix, line[1])];
}

/** Whether images of more than one patient are open. */
export function isMixed(all: readonly Viewport[]): boolean {
  const patients = all.flatMap((viewport) => {
    const ds = viewport.header?.dataSet;
    return ds === undefined ? [] : [`${textOf(ds, '00100020') || personOf(ds, '00100010')} ${textOf(ds, '00100021')}`];
  });
  return new Set(patients).size > 1;
}

// The letters at an image's edges: which way the patient lies (PS3.3 C.7.6.1.1.1).
import { textOf, textsOf } from '../dicom/attributes';
import type { FrameHeader, Vector } from '../dicom/frame';
import type { Camera } from '../draw/camera';

export interface Edges {
  readonly top: string;
  readonly right: string;
  readonly bottom: string;
  readonly left: string;
}

const NONE: Edges = { top: '', right: '', bottom: '', left: '' };
const BIPED = [['L', 'R'], ['P', 'A'], ['H', 'F']] as const;
const QUADRUPED = [['LE', 'RT'], ['D', 'V'], ['CR', 'CD']] as const;
const BIPED_OPPOSITES = opposites([...BIPED]);
// Of a limb there are further ones (PS3.3 C.7.6.1.1.1); medial and lateral say no side, so they have none here.
const QUADRUPED_OPPOSITES = opposites([...QUADRUPED, ['PR', 'DI'], ['R', 'CD']]);

function opposites(pairs: readonly (readonly [string, string])[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [a, b] of pairs) {
    if (!found.has(b)) found.set(b, a);
    found.set(a, b);
  }
  return found;
}

/** Empty where the header does not say. */
export function edgesOf(frame: FrameHeader, camera: Camera): Edges {
  const isQuadruped = textOf(frame.dataSet, '00102210') === 'QUADRUPED';
  const stored = frame.plane === undefined ? said(frame, isQuadruped) : fromPlane(frame.plane.row, frame.plane.column, isQuadruped);
  return seen(stored, camera);
}

/** Of a direction in the patient. */
export function lettersOf(direction: Vector, frame: FrameHeader): string {
  return letters(direction, textOf(frame.dataSet, '00102210') === 'QUADRUPED');
}

function fromPlane(row: Vector, column: Vector, isQuadruped: boolean): Edges {
  return { right: letters(row, isQuadruped), left: letters(negative(row), isQuadruped), bottom: letters(column, isQuadruped), top: letters(negative(column), isQuadruped) };
}

/** The direction's letters, the largest part first; what is less than a quarter of it is not worth one. */
function letters(direction: Vector, isQuadruped: boolean): string {
  const axes = isQuadruped ? QUADRUPED : BIPED;
  return direction
    .map((value, axis) => ({ size: Math.abs(value), letter: axes[axis]?.[value > 0 ? 0 : 1] ?? '' }))
    .filter(({ size }) => size > 0.25)
    .sort((a, b) => b.size - a.size)
    .map(({ letter }) => letter)
    .join('');
}

/** Patient Orientation (0020,0020) of a projection: where the rows run to, and the columns. */
function said(frame: FrameHeader, isQuadruped: boolean): Edges {
  const [right = '', bottom = ''] = textsOf(frame.dataSet, '00200020');
  if (!right && !bottom) return NONE;
  return { right, bottom, left: opposite(right, isQuadruped), top: opposite(bottom, isQuadruped) };
}

/** Of a person's letters one for one; of an animal's words there is no safe way to take them apart, so only whole ones. */
function opposite(text: string, isQuadruped: boolean): string {
  if (isQuadruped) return QUADRUPED_OPPOSITES.get(text) ?? '';
  const turned = [...text].map((letter) => BIPED_OPPOSITES.get(letter));
  return turned.every((letter) => letter !== undefined) ? turned.join('') : '';
}

function seen(stored: Edges, camera: Camera): Edges {
  const mirrored = camera.isMirrored ? { ...stored, left: stored.right, right: stored.left } : stored;
  const round = [mirrored.top, mirrored.right, mirrored.bottom, mirrored.left];
  const at = (edge: number) => round[(edge + 4 - camera.turns) % 4] ?? '';
  return { top: at(0), right: at(1), bottom: at(2), left: at(3) };
}

function negative([x, y, z]: Vector): Vector {
  return [-x, -y, -z];
}

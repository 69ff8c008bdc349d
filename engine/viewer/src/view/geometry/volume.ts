// A series as a volume: whether it is one, and its axes in the patient.
import { cross, dot, type FrameHeader, type Vector } from '../dicom/frame';

/** One axis of a volume. */
export interface Axis {
  readonly direction: Vector;
  /** Millimetres from one sample to the next. */
  readonly step: number;
  readonly count: number;
}

export interface Volume {
  /** Of the middle of the first sample. */
  readonly origin: Vector;
  /** Along rows, along columns, from frame to frame. */
  readonly axes: readonly [Axis, Axis, Axis];
  readonly frameOfReferenceUid: string;
}

/** A way through a volume: which axis runs along rows and columns of a plane, and which from plane to plane; with their senses. */
export interface Cut {
  readonly across: Sense;
  readonly down: Sense;
  readonly through: Sense;
}

export interface Sense {
  readonly axis: 0 | 1 | 2;
  readonly sign: 1 | -1;
}

const FRAMES_MIN = 4;
const UNEVEN = 0.05; // of a step; more would bend what is straight
const SHEAR = 0.02; // of a step; a tilted gantry

/** Undefined where frames are not evenly spaced cuts of one space, one behind the other. */
export function volumeOf(frames: readonly FrameHeader[]): Volume | undefined {
  const [first, second] = frames;
  const last = frames.at(-1);
  if (frames.length < FRAMES_MIN || first?.plane === undefined || second?.plane === undefined || last?.plane === undefined) return undefined;
  const { plane, spacing, rows, columns } = first;
  if (spacing === undefined || spacing.isAtDetector || plane.frameOfReferenceUid === '') return undefined;
  const normal = cross(plane.row, plane.column);
  const way = minus(last.plane.position, plane.position);
  const step = dot(way, normal) / (frames.length - 1);
  if (Math.abs(step) < 1e-3) return undefined;
  for (const [at, frame] of frames.entries()) {
    if (frame.plane === undefined || frame.rows !== rows || frame.columns !== columns || frame.plane.frameOfReferenceUid !== plane.frameOfReferenceUid) return undefined;
    const isSame = dot(frame.plane.row, plane.row) > 0.9999 && dot(frame.plane.column, plane.column) > 0.9999;
    const from = minus(frame.plane.position, plane.position);
    const isEven = Math.abs(dot(from, normal) - at * step) <= UNEVEN * Math.abs(step);
    const isStraight = Math.hypot(dot(from, plane.row), dot(from, plane.column)) <= SHEAR * Math.abs(step) * Math.max(at, 1);
    if (!isSame || !isEven || !isStraight || frame.spacing?.row !== spacing.row || frame.spacing.column !== spacing.column) return undefined;
  }
  const sense = step > 0 ? 1 : -1;
  return {
    origin: plane.position,
    axes: [
      { direction: plane.row, step: spacing.column, count: columns },
      { direction: plane.column, step: spacing.row, count: rows },
      { direction: [normal[0] * sense, normal[1] * sense, normal[2] * sense], step: Math.abs(step), count: frames.length },
    ],
    frameOfReferenceUid: plane.frameOfReferenceUid,
  };
}

/** Left, behind, up. */
const TOWARDS: Readonly<Record<PlaneName, readonly [Vector, Vector]>> = {
  axial: [[1, 0, 0], [0, 1, 0]],
  coronal: [[1, 0, 0], [0, 0, -1]],
  sagittal: [[0, 1, 0], [0, 0, -1]],
};

export type PlaneName = 'axial' | 'coronal' | 'sagittal';

/** The cut that comes nearest to a plane of the body, seen as readers do. */
export function cutOf(volume: Volume, name: PlaneName): Cut {
  const [right, bottom] = TOWARDS[name];
  const across = nearest(volume, right, []);
  const down = nearest(volume, bottom, [across.axis]);
  const axis = ([0, 1, 2] as const).find((one) => one !== across.axis && one !== down.axis) ?? 0;
  return { across, down, through: { axis, sign: 1 } };
}

/** The place in the patient of a sample that lies so far along a cut's ways. */
export function placeOf(volume: Volume, cut: Cut, at: { across: number; down: number; through: number }): Vector {
  let place = volume.origin;
  for (const [sense, index] of [[cut.across, at.across], [cut.down, at.down], [cut.through, at.through]] as const) {
    const { direction, step, count } = volume.axes[sense.axis];
    const far = (sense.sign > 0 ? index : count - 1 - index) * step;
    place = [place[0] + direction[0] * far, place[1] + direction[1] * far, place[2] + direction[2] * far];
  }
  return place;
}

function nearest(volume: Volume, towards: Vector, taken: readonly number[]): Sense {
  let found: Sense = { axis: 0, sign: 1 };
  let most = -1;
  volume.axes.forEach(({ direction }, axis) => {
    const along = dot(direction, towards);
    if (taken.includes(axis) || Math.abs(along) <= most) return;
    most = Math.abs(along);
    found = { axis: axis as 0 | 1 | 2, sign: along < 0 ? -1 : 1 };
  });
  return found;
}

function minus(a: Vector, b: Vector): Vector {
  return [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
}

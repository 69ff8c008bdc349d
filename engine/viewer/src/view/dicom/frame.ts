// What the header says of one frame: its pixels, its greys, its place in the patient; functional groups before the data set.
import { itemsOf, numberOf, numbersOf, textOf, textsOf, type DataSet } from './attributes';
import { shapeOf, usable, type Window } from '../image/windows';

export type Vector = readonly [number, number, number];

/** PS3.3 C.7.6.2: where a frame lies. */
export interface Plane {
  readonly position: Vector;
  /** Along a row, and along a column. */
  readonly row: Vector;
  readonly column: Vector;
  readonly frameOfReferenceUid: string;
}

/** Millimetres between pixels; `isAtDetector`: of the detector, larger than in the patient by the magnification. */
export interface Spacing {
  readonly row: number;
  readonly column: number;
  readonly isAtDetector: boolean;
}

export interface FrameHeader {
  readonly dataSet: DataSet;
  /** 1-based. */
  readonly frameNumber: number;
  readonly frameCount: number;
  readonly sopInstanceUid: string;
  readonly sopClassUid: string;
  readonly modality: string;
  readonly rows: number;
  readonly columns: number;
  readonly samplesPerPixel: number;
  readonly bitsAllocated: number;
  readonly bitsStored: number;
  readonly highBit: number;
  readonly isSigned: boolean;
  readonly isFloat: boolean;
  readonly planarConfiguration: number;
  readonly photometricInterpretation: string;
  readonly hasSupplementalPalette: boolean;
  readonly hasPresentationLut: boolean;
  readonly hasModalityLut: boolean;
  readonly hasVoiLut: boolean;
  readonly slope: number;
  readonly intercept: number;
  readonly rescaleType: string;
  readonly isRescaled: boolean;
  readonly windows: readonly Window[];
  readonly isInverted: boolean;
  readonly padding: readonly [number, number] | undefined;
  readonly plane: Plane | undefined;
  readonly spacing: Spacing | undefined;
  /** Height of a pixel over its width. */
  readonly pixelAspect: number;
  readonly instanceNumber: number | undefined;
}

/** The header of frame `frameNumber` of an instance's metadata. */
export function frameHeader(ds: DataSet, frameNumber: number): FrameHeader {
  const groups = [itemsOf(ds, '52009230')[frameNumber - 1], itemsOf(ds, '52009229')[0]];
  // The item of a macro that has an attribute: the frame's own, that of all frames, or the data set itself.
  const macro = (sequence: string, tag: string): DataSet => {
    for (const group of groups) for (const item of itemsOf(group, sequence)) if (item[tag] !== undefined) return item;
    return ds;
  };
  const values = macro('00289145', '00281053');
  const slope = numberOf(values, '00281053');
  const intercept = numberOf(values, '00281052');
  const photometric = textOf(ds, '00280004');
  const presentation = textOf(ds, '00089205');
  const bitsAllocated = numberOf(ds, '00280100') ?? 16;
  const bitsStored = numberOf(ds, '00280101') ?? bitsAllocated;
  const samples = numberOf(ds, '00280002') ?? 1;
  const hasVoiLut = itemsOf(ds, '00283010').length > 0 || groups.some((group) => itemsOf(group, '00289132').some((item) => '00283010' in item));
  return {
    dataSet: ds,
    frameNumber,
    frameCount: numberOf(ds, '00280008') ?? 1,
    sopInstanceUid: textOf(ds, '00080018'),
    sopClassUid: textOf(ds, '00080016'),
    modality: textOf(ds, '00080060'),
    rows: numberOf(ds, '00280010') ?? 0,
    columns: numberOf(ds, '00280011') ?? 0,
    samplesPerPixel: samples,
    bitsAllocated,
    bitsStored,
    highBit: numberOf(ds, '00280102') ?? bitsStored - 1,
    isSigned: numberOf(ds, '00280103') === 1,
    isFloat: '7FE00008' in ds || '7FE00009' in ds,
    planarConfiguration: numberOf(ds, '00280006') ?? 0,
    photometricInterpretation: photometric,
    hasSupplementalPalette: presentation === 'MIXED' || presentation === 'COLOR',
    hasPresentationLut: itemsOf(ds, '20500010').length > 0,
    hasModalityLut: itemsOf(ds, '00283000').length > 0,
    hasVoiLut,
    slope: slope === undefined || slope === 0 ? 1 : slope,
    intercept: intercept ?? 0,
    rescaleType: textOf(values, '00281054'),
    isRescaled: slope !== undefined && intercept !== undefined,
    windows: windowsOf(macro('00289132', '00281050')),
    // DX has MONOCHROME1 and the INVERSE shape for one and the same inversion (PS3.3 C.8.11.3.1.2).
    isInverted: photometric === 'MONOCHROME1' || textOf(ds, '20500020') === 'INVERSE',
    padding: paddingOf(ds),
    plane: planeOf(macro('00209113', '00200032'), macro('00209116', '00200037'), textOf(ds, '00200052')),
    spacing: spacingOf(macro('00289110', '00280030'), ds),
    pixelAspect: aspectOf(macro('00289110', '00280030'), ds),
    instanceNumber: numberOf(ds, '00200013'),
  };
}

/** Smallest and largest stored value that a frame can hold. */
export function storedRange(frame: FrameHeader): [number, number] {
  const count = 2 ** frame.bitsStored;
  return frame.isSigned ? [-count / 2, count / 2 - 1] : [0, count - 1];
}

function windowsOf(ds: DataSet): Window[] {
  const centers = numbersOf(ds, '00281050');
  const widths = numbersOf(ds, '00281051');
  const names = textsOf(ds, '00281055');
  const shape = shapeOf(textOf(ds, '00281056'));
  return centers.flatMap((center, at) => {
    const window = usable({ center, width: widths[at] ?? NaN, shape, ...(names[at] ? { name: names[at] } : {}) });
    return window === undefined ? [] : [window];
  });
}

function paddingOf(ds: DataSet): readonly [number, number] | undefined {
  const value = numberOf(ds, '00280120');
  if (value === undefined) return undefined;
  const limit = numberOf(ds, '00280121') ?? value;
  return [Math.min(value, limit), Math.max(value, limit)];
}

function planeOf(position: DataSet, orientation: DataSet, frameOfReferenceUid: string): Plane | undefined {
  const [x, y, z] = numbersOf(position, '00200032');
  const [a, b, c, d, e, f] = numbersOf(orientation, '00200037');
  if (z === undefined || f === undefined) return undefined;
  const row: Vector = [a as number, b as number, c as number];
  const column: Vector = [d as number, e as number, f];
  // Directions that are none would put letters and distances anywhere.
  if (Math.abs(length(row) - 1) > 0.01 || Math.abs(length(column) - 1) > 0.01 || Math.abs(dot(row, column)) > 0.01) return undefined;
  return { position: [x as number, y as number, z], row, column, frameOfReferenceUid };
}

function spacingOf(measures: DataSet, ds: DataSet): Spacing | undefined {
  const [row, column] = numbersOf(measures, '00280030');
  if (row !== undefined && column !== undefined && row > 0 && column > 0) return { row, column, isAtDetector: false };
  for (const tag of ['00181164', '00182010', '00403008']) {
    const [down, across] = numbersOf(ds, tag);
    if (down !== undefined && across !== undefined && down > 0 && across > 0) return { row: down, column: across, isAtDetector: true };
  }
  return undefined;
}

function aspectOf(measures: DataSet, ds: DataSet): number {
  const spacing = spacingOf(measures, ds);
  if (spacing !== undefined) return spacing.row / spacing.column;
  const [tall, wide] = numbersOf(ds, '00280034');
  return tall !== undefined && wide !== undefined && tall > 0 && wide > 0 ? tall / wide : 1;
}

export function dot(a: Vector, b: Vector): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

export function cross(a: Vector, b: Vector): Vector {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

export function length(a: Vector): number {
  return Math.hypot(a[0], a[1], a[2]);
}

// What a mark measures: millimetres, degrees, and the values below it in the unit of the image.
import { itemsOf, numberOf, textOf } from '../dicom/attributes';
import type { FrameHeader, Spacing } from '../dicom/frame';
import { suvOf } from '../dicom/suv';
import type { Point } from '../draw/matrix';
import type { GreyPixels, Pixels } from '../image/pixels';
import type { Mark } from './marks';

/** Of the values below a shape, in the unit of the image. */
export interface Statistics {
  readonly count: number;
  readonly mean: number;
  readonly deviation: number;
  readonly least: number;
  readonly most: number;
}

export interface Measured {
  /** Millimetres where the image says how large it is; else pixels. */
  readonly unit: 'mm' | 'px';
  readonly isAtDetector: boolean;
  readonly length?: number;
  /** Degrees. */
  readonly angle?: number;
  readonly area?: number;
  readonly value?: number;
  readonly statistics?: Statistics;
  /** Of values: HU, SUVbw, Bq/ml …; empty where there is none. */
  readonly valueUnit: string;
  /** The attribute without which values of PET are no SUV. */
  readonly lacks?: string;
}

/** @param pixels of the frame, exact; undefined: nothing is said of values yet */
export function measure(mark: Mark, frame: FrameHeader, pixels: Pixels | undefined): Measured {
  const spacing = spacingAt(frame, mark.points);
  const base = { unit: spacing === undefined ? ('px' as const) : ('mm' as const), isAtDetector: spacing?.isAtDetector === true, ...unitOf(frame) };
  const { row, column } = spacing ?? { row: 1, column: 1 };
  const [a = ORIGIN, b = ORIGIN, c = ORIGIN] = mark.points;
  const grey = pixels?.kind === 'grey' && pixels.halvings === 0 && !frame.hasModalityLut ? pixels : undefined;
  switch (mark.kind) {
    case 'arrow':
    case 'text':
    case 'line':
      return base;
    case 'length':
      return { ...base, length: Math.hypot((b.x - a.x) * column, (b.y - a.y) * row) };
    case 'angle': {
      const legs = [a, c].map((end) => Math.atan2((end.y - b.y) * row, (end.x - b.x) * column));
      const between = Math.abs((legs[0] ?? 0) - (legs[1] ?? 0));
      return { ...base, angle: ((between > Math.PI ? 2 * Math.PI - between : between) * 180) / Math.PI };
    }
    case 'probe':
      return grey === undefined ? base : { ...base, ...valueAt(frame, grey, a) };
    default: {
      const area = Math.abs((b.x - a.x) * column * (b.y - a.y) * row) * (mark.kind === 'ellipse' ? Math.PI / 4 : 1);
      const statistics = grey === undefined ? undefined : statisticsOf(frame, grey, mark.kind, a, b);
      return { ...base, area, ...(statistics === undefined ? {} : { statistics }) };
    }
  }
}

const ORIGIN: Point = { x: 0, y: 0 };

/** Pixels whose middle lies inside; padding is no value. */
function statisticsOf(frame: FrameHeader, pixels: GreyPixels, kind: 'rectangle' | 'ellipse', a: Point, b: Point): Statistics | undefined {
  const [left, right] = [Math.min(a.x, b.x), Math.max(a.x, b.x)];
  const [top, bottom] = [Math.min(a.y, b.y), Math.max(a.y, b.y)];
  const middle = { x: (left + right) / 2, y: (top + bottom) / 2 };
  const [wide, tall] = [(right - left) / 2, (bottom - top) / 2];
  let [count, sum, squares, least, most] = [0, 0, 0, Infinity, -Infinity];
  const { slope, intercept } = scaleOf(frame);
  // Squares of what differs from a value at hand: those of the values themselves would lose digits.
  let around: number | undefined;
  for (let y = Math.max(0, Math.ceil(top - 0.5)); y < pixels.height && y + 0.5 <= bottom; y++) {
    for (let x = Math.max(0, Math.ceil(left - 0.5)); x < pixels.width && x + 0.5 <= right; x++) {
      if (kind === 'ellipse' && ((x + 0.5 - middle.x) / wide) ** 2 + ((y + 0.5 - middle.y) / tall) ** 2 > 1) continue;
      const stored = pixels.values[y * pixels.width + x];
      if (stored === undefined) return undefined; // given back meanwhile: no value is better than a wrong one
      if (frame.padding !== undefined && stored >= frame.padding[0] && stored <= frame.padding[1]) continue;
      const value = stored * slope + intercept;
      around ??= value;
      count++;
      sum += value - around;
      squares += (value - around) ** 2;
      least = Math.min(least, value);
      most = Math.max(most, value);
    }
  }
  if (count === 0 || around === undefined) return undefined;
  return { count, mean: around + sum / count, deviation: Math.sqrt(Math.max(0, squares / count - (sum / count) ** 2)), least, most };
}

function valueAt(frame: FrameHeader, pixels: GreyPixels, at: Point): { value?: number } {
  const [x, y] = [Math.floor(at.x), Math.floor(at.y)];
  if (x < 0 || y < 0 || x >= pixels.width || y >= pixels.height) return {};
  const stored = pixels.values[y * pixels.width + x];
  if (stored === undefined) return {};
  const { slope, intercept } = scaleOf(frame);
  return { value: stored * slope + intercept };
}

/** From stored values to those that are told. */
interface Scale {
  readonly slope: number;
  readonly intercept: number;
  readonly unit: string;
  readonly lacks?: string;
}

const scales = new WeakMap<FrameHeader, Scale>();

function scaleOf(frame: FrameHeader): Scale {
  let scale = scales.get(frame);
  if (scale === undefined) scales.set(frame, (scale = scaled(frame)));
  return scale;
}

function scaled(frame: FrameHeader): Scale {
  const { slope, intercept, rescaleType: type, modality, isRescaled, dataSet } = frame;
  if (modality === 'PT') {
    const suv = suvOf(dataSet);
    if ('factor' in suv) return { slope: slope * suv.factor, intercept: intercept * suv.factor, unit: 'SUVbw' };
    return { slope, intercept, unit: PET_UNITS[textOf(dataSet, '00541001')] ?? '', lacks: suv.lacks };
  }
  // As UCUM and readers write it. US: unspecified.
  const unit = modality === 'CT' && isRescaled && (type === '' || type === 'HU') ? 'HU' : type === 'US' ? '' : type;
  return { slope, intercept, unit };
}

function unitOf(frame: FrameHeader): { valueUnit: string; lacks?: string } {
  const { unit, lacks } = scaleOf(frame);
  return { valueUnit: unit, ...(lacks === undefined ? {} : { lacks }) };
}

const PET_UNITS: Readonly<Record<string, string>> = { BQML: 'Bq/ml', CNTS: 'counts', GML: 'g/ml', CM2ML: 'cm2/ml' };

/** Of the frame; in ultrasound of the calibrated region that holds all points (PS3.3 C.8.5.5), where there are regions. */
function spacingAt(frame: FrameHeader, points: readonly Point[]): Spacing | undefined {
  const regions = itemsOf(frame.dataSet, '00186011');
  if (regions.length === 0) return frame.spacing;
  for (const region of regions) {
    const [left, top, right, bottom] = ['00186018', '0018601A', '0018601C', '0018601E'].map((tag) => numberOf(region, tag) ?? NaN) as [number, number, number, number];
    const isIn = points.every(({ x, y }) => x >= left && x <= right + 1 && y >= top && y <= bottom + 1);
    const [across, down] = [numberOf(region, '0018602C'), numberOf(region, '0018602E')];
    const isCentimetres = numberOf(region, '00186024') === 3 && numberOf(region, '00186026') === 3;
    if (isIn && isCentimetres && across !== undefined && down !== undefined && across !== 0 && down !== 0) {
      return { row: Math.abs(down) * 10, column: Math.abs(across) * 10, isAtDetector: false };
    }
  }
  return undefined;
}

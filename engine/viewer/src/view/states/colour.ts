// Colours that a state names, as those of a screen: CIELab triplets and P-values (PS3.3 C.10.7.1.1, PS3.14).
import { numberOf, numbersOf, type DataSet } from '../dicom/attributes';

export type Rgb = readonly [number, number, number];

const WHITE = [0.96422, 1, 0.82521] as const; // D50, that of the profile connection space
// From XYZ of that white to linear sRGB, adapted by Bradford's matrix.
const TO_LINEAR = [
  [3.1338561, -1.6168667, -0.4906146],
  [-0.9787684, 1.9161415, 0.033454],
  [0.0719453, -0.2289914, 1.4052427],
] as const;

/** 0 to 65535 each: L* from 0 to 100, a* and b* from -128 to 127. What a screen does not have is clipped. */
export function rgbOfLab([l, a, b]: readonly [number, number, number]): Rgb {
  const middle = ((l * 100) / 65535 + 16) / 116;
  const [green, blue] = [(a * 255) / 65535 - 128, (b * 255) / 65535 - 128];
  const xyz = [middle + green / 500, middle, middle - blue / 200].map((value, at) => (WHITE[at] ?? 1) * linearOf(value));
  const [red, mid, low] = TO_LINEAR.map((row) => encoded(row.reduce((sum, factor, at) => sum + factor * (xyz[at] ?? 0), 0)));
  return [red ?? 0, mid ?? 0, low ?? 0];
}

/** The colour that an attribute pair says: CIELab where it is there, else the grey of a P-value; undefined: neither. */
export function colourIn(ds: DataSet, labTag: string, pValueTag: string): Rgb | undefined {
  const [l, a, b] = numbersOf(ds, labTag);
  if (l !== undefined && a !== undefined && b !== undefined) return rgbOfLab([l, a, b]);
  const value = numberOf(ds, pValueTag);
  if (value === undefined) return undefined;
  const grey = Math.floor((Math.min(Math.max(value, 0), 0xffff) + 128) / 257);
  return [grey, grey, grey];
}

function linearOf(value: number): number {
  return value > 6 / 29 ? value ** 3 : 3 * (6 / 29) ** 2 * (value - 4 / 29);
}

function encoded(linear: number): number {
  const clipped = Math.min(Math.max(linear, 0), 1);
  return Math.round(255 * (clipped <= 0.0031308 ? 12.92 * clipped : 1.055 * clipped ** (1 / 2.4) - 0.055));
}

// What hides the parts of an image that are not to be looked at, pixel by pixel (PS3.3 C.7.6.11, C.7.6.15).
import { numberOf, numbersOf, textOf, textsOf, type DataSet } from '../dicom/attributes';
import { colourIn, type Rgb } from './colour';
import { COLOR } from './write';

const NEAR = 1e-9; // a centre so near to an edge is on it: sums of halves are not exact
const VERTICES_MAX = 10_000;

/** Rows and columns count stored pixels from 1, whole at their centres; a pixel whose centre lies on an edge is shown. */
export interface Shutter {
  /** Left, right, upper, lower edge. */
  readonly rectangle: readonly [number, number, number, number] | undefined;
  /** Row, column, radius in columns. */
  readonly circle: readonly [number, number, number] | undefined;
  /** Row and column of each. */
  readonly polygon: readonly (readonly [number, number])[];
  /** Overlay group of a bitmap that hides where it is set. */
  readonly group: string | undefined;
  readonly colour: Rgb;
}

/** undefined: none. Throws where one is said and not described. */
export function shutterIn(ds: DataSet): Shutter | undefined {
  const shapes = textsOf(ds, '00181600').filter(Boolean);
  if (shapes.length === 0) return undefined;
  const unknown = shapes.find((shape) => !['RECTANGULAR', 'CIRCULAR', 'POLYGONAL', 'BITMAP'].includes(shape));
  if (unknown !== undefined) throw new Error(`a shutter of shape ${unknown}`);
  const edges = ['00181602', '00181604', '00181606', '00181608'].map((tag) => numberOf(ds, tag));
  const [left, right, upper, lower] = edges;
  const isRectangle = shapes.includes('RECTANGULAR');
  if (isRectangle && edges.includes(undefined)) throw new Error('a rectangular shutter without its four edges');
  const [row, column] = numbersOf(ds, '00181610');
  const radius = numberOf(ds, '00181612');
  const isCircle = shapes.includes('CIRCULAR');
  if (isCircle && (row === undefined || column === undefined || radius === undefined)) throw new Error('a circular shutter without a centre or a radius');
  const flat = shapes.includes('POLYGONAL') ? numbersOf(ds, '00181620') : [];
  if (shapes.includes('POLYGONAL') && (flat.length < 6 || flat.length % 2 === 1 || flat.length > 2 * VERTICES_MAX)) throw new Error('a polygonal shutter without vertices, or with too many');
  const group = numberOf(ds, '00181623');
  if (shapes.includes('BITMAP') && group === undefined) throw new Error('a bitmap shutter without its overlay');
  return {
    rectangle: isRectangle ? [left ?? 0, right ?? 0, upper ?? 0, lower ?? 0] : undefined,
    circle: isCircle ? [row ?? 0, column ?? 0, radius ?? 0] : undefined,
    polygon: Array.from({ length: flat.length / 2 }, (_, at) => [flat[2 * at] ?? 0, flat[2 * at + 1] ?? 0] as const),
    group: shapes.includes('BITMAP') ? group?.toString(16).padStart(4, '0') : undefined,
    // On grey images its colour has no part (PS3.3 C.7.6.11.1): it is the grey of the P-value.
    colour: colourIn(ds, textOf(ds, '00080016') === COLOR ? '00181624' : '', '00181622') ?? [0, 0, 0],
  };
}

/** Call for each pixel (from 0) that the edges hide. @param aspect height of a pixel over its width: circles are round */
export function eachHidden(shutter: Shutter, columns: number, rows: number, aspect: number, put: (column: number, row: number) => void): void {
  const { rectangle, circle, polygon } = shutter;
  const inside = new Uint8Array(columns);
  for (let row = 0; row < rows; row++) {
    if (polygon.length > 0) spans(polygon, row + 1, inside);
    for (let column = 0; column < columns; column++) {
      const [y, x] = [row + 1, column + 1];
      const isOut =
        (rectangle !== undefined && (x < rectangle[0] || x > rectangle[1] || y < rectangle[2] || y > rectangle[3])) ||
        (circle !== undefined && ((y - circle[0]) * aspect) ** 2 + (x - circle[1]) ** 2 > circle[2] ** 2) ||
        (polygon.length > 0 && inside[column] === 0);
      if (isOut) put(column, row);
    }
  }
}

/** Which centres of a row are inside a polygon (even-odd rule) or on its edge: rows are taken half open, once at either end of an edge. */
function spans(polygon: readonly (readonly [number, number])[], row: number, inside: Uint8Array): void {
  inside.fill(0);
  for (const isUpperOpen of [false, true]) {
    const crossings: number[] = [];
    polygon.forEach(([y0, x0], at) => {
      const [y1, x1] = polygon[(at + 1) % polygon.length] ?? [y0, x0];
      const [upper, lower] = [Math.min(y0, y1), Math.max(y0, y1)];
      const isCrossed = isUpperOpen ? row > upper && row <= lower : row >= upper && row < lower;
      if (isCrossed) crossings.push(x0 + ((row - y0) / (y1 - y0)) * (x1 - x0));
    });
    crossings.sort((a, b) => a - b);
    for (let at = 0; at + 1 < crossings.length; at += 2) {
      const from = Math.max(Math.ceil((crossings[at] ?? 0) - NEAR), 1);
      const to = Math.min(Math.floor((crossings[at + 1] ?? 0) + NEAR), inside.length);
      if (to >= from) inside.fill(1, from - 1, to);
    }
  }
}

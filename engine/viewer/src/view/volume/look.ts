// What is seen of each value: opacity and colour along a scale of values, as one table that rays read (PS3.3 C.11.23, volumetric presets).

/** How a rendering is put together: light that is held up on the way, or the largest value of each ray. */
export type Method = 'light' | 'largest';

/** Entries of red, green, blue (0 to 1) and what a millimetre holds up of the light (0 to 1). */
export interface Look {
  readonly method: Method;
  readonly isShaded: boolean;
  /** TABLE × 4 numbers. */
  readonly table: Float32Array<ArrayBuffer>;
  /** Entry of a stored value: (value - first) × scale, at the ends the first and the last. */
  readonly first: number;
  readonly scale: number;
}

export interface Preset {
  readonly name: string;
  readonly method: Method;
  readonly isShaded: boolean;
  /** Values are parts of the range that the series has, not units. */
  readonly isRelative: boolean;
  /** Value, opacity of a millimetre. */
  readonly opacity: readonly (readonly [number, number])[];
  /** Value, red, green, blue (0 to 255). */
  readonly colour: readonly (readonly [number, number, number, number])[];
}

export const TABLE = 2048;

/** Moves the values of a preset: by `shift` units, and apart by `stretch` around the middle. */
export interface Shift {
  readonly shift: number;
  readonly stretch: number;
}

/** What the stored values of a series mean, and between which modality values it lies. */
export interface Scale {
  readonly slope: number;
  readonly intercept: number;
  readonly range: readonly [number, number];
}

/** The smallest and the largest value of a preset, in modality values, before it is moved. */
export function spanOf(preset: Preset, { range }: Scale): readonly [number, number] {
  const points = [...preset.opacity.map(([value]) => value), ...preset.colour.map(([value]) => value)];
  const [low, high] = [Math.min(...points), Math.max(...points)];
  const [from, to] = range;
  return preset.isRelative ? [from + low * (to - from), from + high * (to - from)] : [low, high];
}

/** The table of a preset that was moved. */
export function lookOf(preset: Preset, { shift, stretch }: Shift, scale: Scale): Look {
  const span = spanOf(preset, scale);
  const middle = (span[0] + span[1]) / 2;
  const half = Math.max(((span[1] - span[0]) / 2) * stretch, 1e-6);
  const [low, high] = [middle + shift - half, middle + shift + half];
  const points = [...preset.opacity.map(([value]) => value), ...preset.colour.map(([value]) => value)];
  const [least, most] = [Math.min(...points), Math.max(...points)];
  const table = new Float32Array(4 * TABLE);
  for (let entry = 0; entry < TABLE; entry++) {
    const value = least + ((most - least) * entry) / (TABLE - 1);
    const [red, green, blue] = colourAt(preset.colour, value);
    table.set([red / 255, green / 255, blue / 255, between(preset.opacity, value, 1)], 4 * entry);
  }
  // From modality values to stored ones; a negative slope turns the table's way.
  const first = (low - scale.intercept) / scale.slope;
  const last = (high - scale.intercept) / scale.slope;
  return { method: preset.method, isShaded: preset.isShaded, table, first, scale: (TABLE - 1) / (last - first) };
}

/** The table for rays whose samples lie `step` millimetres apart: what each of them holds up. */
export function forStep({ table }: Look, step: number): Float32Array<ArrayBuffer> {
  const out = table.slice();
  for (let at = 3; at < out.length; at += 4) out[at] = 1 - (1 - Math.min(out[at] as number, 0.9999)) ** step;
  return out;
}

/** Whether anything of the values between two is seen. */
export function seenIn({ table, first, scale }: Look): (low: number, high: number) => boolean {
  const sums = new Uint32Array(TABLE + 1); // of entries with opacity, before each
  for (let entry = 0; entry < TABLE; entry++) sums[entry + 1] = (sums[entry] as number) + ((table[4 * entry + 3] as number) > 0 ? 1 : 0);
  const entry = (value: number) => Math.min(Math.max((value - first) * scale, 0), TABLE - 1);
  return (low, high) => {
    const [from, to] = [entry(low), entry(high)].sort((a, b) => a - b) as [number, number];
    return (sums[Math.ceil(to) + 1] as number) > (sums[Math.floor(from)] as number);
  };
}

function between(points: readonly (readonly number[])[], value: number, part: number): number {
  const after = points.findIndex(([at = 0]) => at >= value);
  if (after === 0) return points[0]?.[part] ?? 0;
  if (after < 0) return points.at(-1)?.[part] ?? 0;
  const [a, b] = [points[after - 1] ?? [], points[after] ?? []];
  const [from = 0, to = 0] = [a[0], b[0]];
  const share = to > from ? (value - from) / (to - from) : 1;
  return (a[part] ?? 0) + share * ((b[part] ?? 0) - (a[part] ?? 0));
}

function colourAt(points: Preset['colour'], value: number): [number, number, number] {
  return [between(points, value, 1), between(points, value, 2), between(points, value, 3)];
}

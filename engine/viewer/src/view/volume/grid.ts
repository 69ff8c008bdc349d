// Voxels as rays go through them: values, and the smallest and largest of each cube, so that what cannot be seen is passed over.

export type Values = Int16Array<ArrayBuffer> | Uint16Array<ArrayBuffer>;
export type Sizes = readonly [number, number, number];

export const CUBE = 8; // samples of a side; a cube knows of one more on each, which interpolation takes from the next
const SHIFT = 3;

export class Grid {
  readonly values: Values;
  /** Cubes along each axis. */
  readonly cubes: Sizes;
  /** Of each cube. */
  readonly lows: Int32Array;
  readonly highs: Int32Array;
  /** 1: something of the cube can be seen. */
  readonly isSeen: Uint8Array;
  private readonly stale: Uint8Array; // layers of cubes whose extremes are to be found anew

  /** @param empty the value of what has not come: nothing is seen of it */
  constructor(
    readonly sizes: Sizes,
    isSigned: boolean,
    empty: number,
  ) {
    const length = sizes[0] * sizes[1] * sizes[2];
    this.values = isSigned ? new Int16Array(length) : new Uint16Array(length);
    if (empty !== 0) this.values.fill(empty);
    this.cubes = sizes.map((size) => Math.ceil(size / CUBE)) as unknown as Sizes;
    const count = this.cubes[0] * this.cubes[1] * this.cubes[2];
    this.lows = new Int32Array(count).fill(empty);
    this.highs = new Int32Array(count).fill(empty);
    this.isSeen = new Uint8Array(count);
    this.stale = new Uint8Array(this.cubes[2]);
  }

  /** The values of a plane of the third axis have changed. */
  changed(plane: number): void {
    this.stale[plane >> SHIFT] = 1;
    if (plane > 0) this.stale[(plane - 1) >> SHIFT] = 1;
  }

  /** Find what has changed; true when something had. */
  settle(): boolean {
    let hasChanged = false;
    this.stale.forEach((isStale, layer) => {
      if (isStale === 0) return;
      hasChanged = true;
      this.stale[layer] = 0;
      for (let y = 0; y < this.cubes[1]; y++) for (let x = 0; x < this.cubes[0]; x++) this.extremes(x, y, layer);
    });
    return hasChanged;
  }

  /** Mark the cubes that hold a value of which something is seen. `seen(low, high)` says so of all values between two. */
  see(seen: (low: number, high: number) => boolean): void {
    for (let cube = 0; cube < this.isSeen.length; cube++) this.isSeen[cube] = seen(this.lows[cube] as number, this.highs[cube] as number) ? 1 : 0;
  }

  private extremes(x: number, y: number, z: number): void {
    const { values } = this;
    const [width, height, depth] = this.sizes;
    const [toX, toY, toZ] = [Math.min((x + 1) * CUBE, width - 1), Math.min((y + 1) * CUBE, height - 1), Math.min((z + 1) * CUBE, depth - 1)];
    let low = Infinity;
    let high = -Infinity;
    for (let k = z * CUBE; k <= toZ; k++) {
      for (let j = y * CUBE; j <= toY; j++) {
        const row = width * (j + height * k);
        for (let at = row + x * CUBE, end = row + toX; at <= end; at++) {
          const value = values[at] as number;
          if (value < low) low = value;
          if (value > high) high = value;
        }
      }
    }
    const cube = x + this.cubes[0] * (y + this.cubes[1] * z);
    this.lows[cube] = low;
    this.highs[cube] = high;
  }
}

/** How often a frame's samples are halved along each axis in a grid for turning: the finest axis first, until there are few enough. */
export function factorsOf(sizes: Sizes, steps: readonly [number, number, number], samplesMax: number): Sizes {
  const factors: [number, number, number] = [1, 1, 1];
  const count = (axis: 0 | 1 | 2) => Math.ceil(sizes[axis] / factors[axis]);
  while (count(0) * count(1) * count(2) > samplesMax) {
    const axis = ([0, 1, 2] as const).reduce((best, one) => (count(one) > 2 && (count(best) <= 2 || steps[one] * factors[one] < steps[best] * factors[best]) ? one : best));
    if (count(axis) <= 2) break;
    factors[axis] *= 2;
  }
  return factors;
}

/** One plane of a smaller grid from the planes of the whole one: the mean of the samples that it stands for. */
export function reduce(from: Grid, to: Grid, factors: Sizes, plane: number): void {
  const [width, height, depth] = from.sizes;
  const [columns, rows] = to.sizes;
  const [fx, fy, fz] = factors;
  const lastZ = Math.min((plane + 1) * fz, depth);
  for (let y = 0; y < rows; y++) {
    const lastY = Math.min((y + 1) * fy, height);
    for (let x = 0; x < columns; x++) {
      const lastX = Math.min((x + 1) * fx, width);
      let sum = 0;
      let count = 0;
      for (let k = plane * fz; k < lastZ; k++) {
        for (let j = y * fy; j < lastY; j++) {
          const row = width * (j + height * k);
          for (let i = x * fx; i < lastX; i++) {
            sum += from.values[row + i] as number;
            count++;
          }
        }
      }
      to.values[x + columns * (y + rows * plane)] = Math.round(sum / count);
    }
  }
  to.changed(plane);
}

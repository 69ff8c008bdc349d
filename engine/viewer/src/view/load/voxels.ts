// The values of a series in one block, as fine as there is room for; frames are put in as they become finer.
import { storedRange, type FrameHeader } from '../dicom/frame';
import type { GreyPixels } from '../image/pixels';
import { halved } from '../image/pixels';
import type { Cut, Sense, Volume } from '../geometry/volume';

export const VOXEL_BYTES_MAX = 160 * 1024 * 1024;

export class Voxels {
  /** How often the sides of frames are halved in the block. */
  readonly halvings: number;
  readonly sizes: readonly [number, number, number];
  private readonly values: Int16Array<ArrayBuffer> | Uint16Array<ArrayBuffer>;
  private readonly had: Float64Array; // halvings of the finest that was put in; Infinity: none
  private readonly range: readonly [number, number];

  /** @param slope, intercept that the block's values are in: of a header of the series */
  constructor(
    volume: Volume,
    private readonly common: FrameHeader,
  ) {
    const [columns, rows, count] = volume.axes.map((axis) => axis.count) as [number, number, number];
    let halvings = 0;
    while (2 * halved(columns, halvings) * halved(rows, halvings) * count > VOXEL_BYTES_MAX) halvings++;
    this.halvings = halvings;
    this.sizes = [halved(columns, halvings), halved(rows, halvings), count];
    this.range = storedRange(common);
    const length = this.sizes[0] * this.sizes[1] * this.sizes[2];
    this.values = common.isSigned ? new Int16Array(length) : new Uint16Array(length);
    this.had = new Float64Array(count).fill(Infinity);
  }

  /** How fine a frame is in the block. */
  fineness(frame: number): number {
    return this.had[frame] ?? Infinity;
  }

  /** True where it is finer than what was there. */
  put(frame: number, pixels: GreyPixels, header: FrameHeader): boolean {
    const level = Math.max(pixels.halvings, this.halvings);
    if (level >= this.fineness(frame)) return false;
    this.had[frame] = level;
    const [width, height] = this.sizes;
    // Sample n of a halved image stands where every second one of the whole was.
    const pitch = 2 ** (this.halvings - pixels.halvings);
    const isSame = header.slope === this.common.slope && header.intercept === this.common.intercept;
    const [low, high] = this.range;
    for (let y = 0, to = frame * width * height; y < height; y++) {
      const row = Math.min(Math.round(y * pitch), pixels.height - 1) * pixels.width;
      for (let x = 0; x < width; x++, to++) {
        let value = pixels.values[row + Math.min(Math.round(x * pitch), pixels.width - 1)] as number;
        if (!isSame) value = Math.round((value * header.slope + header.intercept - this.common.intercept) / this.common.slope);
        this.values[to] = value < low ? low : value > high ? high : value;
      }
    }
    return true;
  }

  /** One plane of a cut, or the largest values of a slab of `thick` planes around it. */
  plane(cut: Cut, through: number, thick: number): GreyPixels {
    const [width, height, depth] = [this.sizes[cut.across.axis], this.sizes[cut.down.axis], this.sizes[cut.through.axis]];
    const out = this.common.isSigned ? new Int16Array(width * height) : new Uint16Array(width * height);
    const strides = [1, this.sizes[0], this.sizes[0] * this.sizes[1]] as const;
    const walk = ({ axis, sign }: Sense): [number, number] => (sign > 0 ? [0, strides[axis]] : [(this.sizes[axis] - 1) * strides[axis], -strides[axis]]);
    const [acrossFrom, acrossStep] = walk(cut.across);
    const [downFrom, downStep] = walk(cut.down);
    const half = Math.floor((thick - 1) / 2);
    const [first, last] = [Math.max(0, through - half), Math.min(depth - 1, through + Math.max(0, thick - 1 - half))];
    for (let plane = first; plane <= last; plane++) {
      const base = plane * strides[cut.through.axis] + acrossFrom + downFrom;
      for (let y = 0, to = 0; y < height; y++) {
        for (let x = 0, from = base + y * downStep; x < width; x++, to++, from += acrossStep) {
          const value = this.values[from] as number;
          if (plane === first || value > (out[to] as number)) out[to] = value;
        }
      }
    }
    const coarsest = cut.through.axis === 2 ? Math.max(...this.had.slice(first, last + 1)) : this.had.reduce((most, one) => Math.max(most, one), 0);
    return { kind: 'grey', width, height, halvings: coarsest, values: out };
  }
}

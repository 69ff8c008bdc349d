// The block of voxels of a casting worker: frames are put into it as they become finer, bands of pictures come out of it.
import { factorsOf, Grid, reduce, type Sizes } from './grid';
import type { Band, Frame, Plan } from './job';
import { forStep, seenIn, type Look } from './look';
import { castRays, type Triple } from './rays';
import { fill, raysOf, stepOf } from './scene';

/** Of the block for turning: it stays in the processor's cache, and its pictures keep up with the hand. */
const QUICK_SAMPLES = 1 << 20;

interface Level {
  readonly grid: Grid;
  readonly factors: Sizes;
  readonly steps: Triple;
  table: { readonly step: number; readonly entries: Float32Array } | undefined;
}

export class Block {
  private readonly whole: Level;
  private readonly quick: Level;
  private readonly stale = new Set<number>(); // planes of the smaller block
  private look: Look | undefined;
  private isLookNew = false;

  constructor(private readonly plan: Plan) {
    const { sizes, steps, isSigned, empty } = plan;
    const factors = factorsOf(sizes, steps, QUICK_SAMPLES);
    const isSame = factors.every((factor) => factor === 1);
    this.whole = { grid: new Grid(sizes, isSigned, empty), factors: [1, 1, 1], steps, table: undefined };
    const smaller = sizes.map((size, axis) => Math.ceil(size / (factors[axis] ?? 1))) as unknown as Sizes;
    const wider: Triple = [steps[0] * factors[0], steps[1] * factors[1], steps[2] * factors[2]];
    this.quick = isSame ? this.whole : { grid: new Grid(smaller, isSigned, empty), factors, steps: wider, table: undefined };
  }

  put(frame: Frame): void {
    const { grid } = this.whole;
    const { position } = frame;
    fill(this.plan, frame, grid.values, position * grid.sizes[0] * grid.sizes[1]);
    grid.changed(position);
    this.stale.add(Math.floor(position / this.quick.factors[2]));
  }

  see(look: Look): void {
    this.look = look;
    this.isLookNew = true;
    this.whole.table = this.quick.table = undefined;
  }

  /** Rows `from` to `to` of a picture. Throws before it was told what to show. */
  cast({ view, halvings, isQuick, from, to }: Band): Uint8Array<ArrayBuffer> {
    const { look } = this;
    if (look === undefined) throw new Error('nothing says what is seen');
    this.settle(look);
    const level = isQuick ? this.quick : this.whole;
    const step = stepOf(view.into, level.steps, isQuick);
    if (level.table?.step !== step) level.table = { step, entries: forStep(look, step) };
    return castRays(level.grid, look, level.table.entries, raysOf(this.plan, view, halvings, level.factors, step, isQuick), from, to);
  }

  private settle(look: Look): void {
    if (this.quick !== this.whole) for (const plane of this.stale) reduce(this.whole.grid, this.quick.grid, this.quick.factors, plane);
    this.stale.clear();
    const seen = seenIn(look);
    for (const { grid } of this.quick === this.whole ? [this.whole] : [this.whole, this.quick]) {
      if (grid.settle() || this.isLookNew) grid.see(seen);
    }
    this.isLookNew = false;
  }
}

// What both ways of casting have in common: how frames lie in the block, and how a view's rays go through it.
import { halved } from '../image/pixels';
import type { Sizes } from './grid';
import type { Frame, Plan, View } from './job';
import type { Rays, Triple } from './rays';

// Samples of the axis that a ray goes through fastest: rays along an axis meet every sample, and none is passed over between two.
const STEP = 0.5; // whole ones show as rings on round surfaces
const STEP_QUICK = 1;
const LIGHT_SIDE = -0.35; // from the left and above, as letters are lit
const LIGHT_ABOVE = -0.45;

/** A frame's values in the block's rescale and size, from `to` on in `out`. */
export function fill(plan: Plan, { width, height, halvings, values, factor, offset, padding }: Frame, out: { [at: number]: number }, to: number): void {
  const { sizes, range, empty } = plan;
  const [columns, rows] = sizes;
  // Sample n of a halved image stands where every second one of the whole was.
  const pitch = 2 ** (plan.halvings - halvings);
  const [low, high] = range;
  for (let y = 0, at = to; y < rows; y++) {
    const row = Math.min(Math.round(y * pitch), height - 1) * width;
    for (let x = 0; x < columns; x++, at++) {
      const stored = values[row + Math.min(Math.round(x * pitch), width - 1)] as number;
      if (padding !== undefined && stored >= padding[0] && stored <= padding[1]) {
        out[at] = empty;
        continue;
      }
      const value = Math.round(stored * factor + offset);
      out[at] = value < low ? low : value > high ? high : value;
    }
  }
}

/** Millimetres from one place to the next on a ray. @param into its way, of length 1; steps: millimetres between samples */
export function stepOf(into: Triple, steps: Triple, isQuick: boolean): number {
  const fastest = Math.max(...into.map((way, axis) => Math.abs(way) / (steps[axis] ?? 1)));
  return (isQuick ? STEP_QUICK : STEP) / fastest;
}

/**
 * The rays of a view, of every 2^halvings-th pixel.
 * @param factors how many samples of the block are one of the grid that is cast; step: millimetres
 */
export function raysOf(plan: Plan, view: View, halvings: number, factors: Sizes, step: number, isQuick: boolean): Rays {
  const pitch = 2 ** halvings;
  const axes = [0, 1, 2] as const;
  const triple = (of: (axis: 0 | 1 | 2) => number): Triple => [of(0), of(1), of(2)];
  // A sample of a smaller grid stands for the middle of those that it was made of.
  const sample = (axis: 0 | 1 | 2, index: number) => (index - (factors[axis] - 1) / 2) / factors[axis];
  const last = (axis: 0 | 1 | 2) => Math.ceil(plan.sizes[axis] / factors[axis]) - 1;
  const along = (way: Triple, by: number) => triple((axis) => (way[axis] * by) / (plan.steps[axis] * factors[axis]));
  const end = (which: 0 | 1) => triple((axis) => Math.min(Math.max(sample(axis, (plan.sizes[axis] - 1) * (view.kept[axis]?.[which] ?? which)), 0), last(axis)));
  const { across, down, into } = view;
  const size = Math.hypot(...across) || 1;
  const light = axes.map((axis) => -into[axis] + (LIGHT_SIDE * across[axis] + LIGHT_ABOVE * down[axis]) / size);
  const bright = Math.hypot(...light);
  return {
    width: halved(view.width, halvings),
    height: halved(view.height, halvings),
    // View's places are millimetres from the middle of the block.
    start: triple((axis) => sample(axis, (plan.sizes[axis] - 1) / 2 + view.corner[axis] / plan.steps[axis])),
    across: along(across, pitch),
    down: along(down, pitch),
    into: along(into, step),
    low: end(0),
    high: end(1),
    steps: triple((axis) => plan.steps[axis] * factors[axis]),
    light: triple((axis) => (light[axis] ?? 0) / bright),
    eye: triple((axis) => -into[axis]),
    stride: isQuick ? 1 : 2,
  };
}

// The grey of every stored value: rescale, window or VOI LUT, inversion, padding, as one table (PS3.4 N.2.1).
import { looked, type Lut } from './lut';
import type { Window } from './windows';

/** All that an `if` decides about the greys of a frame. */
export interface GreyPlan {
  /** Smallest and largest stored value that there can be. */
  readonly range: readonly [number, number];
  readonly slope: number;
  readonly intercept: number;
  readonly modalityLut: Lut | undefined;
  readonly voi: Window | Lut;
  /** Of a presentation state: what comes out of the window goes through it, the whole range of one for that of the other (PS3.4 N.2.4.2). */
  readonly presentationLut: Lut | undefined;
  /** The smallest value is white. */
  readonly isInverted: boolean;
  /** Stored values that are no anatomy, shown black; undefined when there are none. */
  readonly padding: readonly [number, number] | undefined;
}

/** 8-bit greys of the stored values from `plan.range[0]` on. */
export function greyTable(plan: GreyPlan): Uint8Array<ArrayBuffer> {
  const [low, high] = plan.range;
  const table = new Uint8Array(high - low + 1);
  const { modalityLut, presentationLut, voi } = plan;
  if (modalityLut === undefined && presentationLut === undefined && 'width' in voi && voi.shape !== 'SIGMOID') line(table, plan, voi);
  else {
    const part = 'width' in voi ? windowed(voi) : throughLut(voi);
    const shown = presentationLut === undefined ? (share: number) => share : presented(presentationLut);
    for (let at = 0; at < table.length; at++) {
      const value = modalityLut === undefined ? (low + at) * plan.slope + plan.intercept : looked(modalityLut, low + at);
      table[at] = Math.floor(shown(part(value)) * 255 + 0.5);
    }
  }
  if (plan.isInverted) for (let at = 0; at < table.length; at++) table[at] = 255 - (table[at] ?? 0);
  if (plan.padding !== undefined) {
    const [from, to] = plan.padding;
    table.fill(0, Math.max(0, Math.ceil(from - low)), Math.max(0, Math.floor(to - low) + 1));
  }
  return table;
}

/** Where a window's ramp begins, and its greys a value, before clamping (PS3.3 C.11.2.1.2). */
function terms(window: Window): [number, number] {
  const isExact = window.shape === 'LINEAR_EXACT';
  const width = isExact ? window.width : window.width - 1;
  const first = isExact ? window.center - window.width / 2 : window.center - 0.5 - width / 2;
  return [first, width > 0 ? 255 / width : 1e30]; // one value wide is a step
}

/** The common case in one loop: 65 536 greys take 0.1 ms, so a window follows the hand. */
function line(table: Uint8Array, plan: GreyPlan, window: Window): void {
  const [first, scale] = terms(window);
  const step = plan.slope * scale;
  const begin = (plan.range[0] * plan.slope + plan.intercept - first) * scale + 0.5;
  for (let at = 0; at < table.length; at++) {
    const grey = begin + at * step;
    table[at] = grey <= 0 ? 0 : grey >= 255 ? 255 : grey;
  }
}

/** From 0 to 1. */
function windowed(window: Window): (value: number) => number {
  if (window.shape === 'SIGMOID') {
    const width = Math.max(window.width, 1e-9);
    return (value) => 1 / (1 + Math.exp((-4 * (value - window.center)) / width));
  }
  const [first, scale] = terms(window);
  return (value) => Math.min(Math.max((value - first) * scale, 0), 255) / 255;
}

function throughLut(lut: Lut): (value: number) => number {
  const full = 2 ** lut.bits - 1;
  return (value) => looked(lut, value) / full;
}

function presented({ values, bits }: Lut): (share: number) => number {
  const full = 2 ** bits - 1;
  return (share) => (values[Math.round(share * (values.length - 1))] ?? 0) / full;
}

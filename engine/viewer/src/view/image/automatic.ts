// A window from the pixels of one frame, where nothing else says what to show; padding is left out.
import type { GreyPixels } from './pixels';
import { rangeWindow, type Automatic, type Window } from './windows';

interface Values {
  slope: number;
  intercept: number;
  padding: readonly [number, number] | undefined;
  range: readonly [number, number];
}

/** The window in modality values. */
export function automaticWindow(kind: Automatic, pixels: GreyPixels, of: Values): Window {
  let [low, high] = kind === 'percentiles' ? percentiles(pixels, of) : [0, 0];
  if (!(high > low)) [low, high] = extremes(pixels, of);
  let [from, to] = [low * of.slope + of.intercept, high * of.slope + of.intercept].sort((a, b) => a - b) as [number, number];
  if (kind === 'from-zero') from = Math.min(from, 0);
  return rangeWindow(from, to);
}

function isPadding(value: number, padding: readonly [number, number] | undefined): boolean {
  return padding !== undefined && value >= padding[0] && value <= padding[1];
}

function extremes(pixels: GreyPixels, of: Values): [number, number] {
  let low = Infinity;
  let high = -Infinity;
  for (const value of pixels.values) {
    if (isPadding(value, of.padding)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return high < low ? [0, 0] : [low, high];
}

/** The values that a hundredth of the pixels do not pass, at both ends; zeros when there are no pixels. */
function percentiles(pixels: GreyPixels, of: Values): [number, number] {
  const [first, last] = of.range;
  const counts = new Uint32Array(last - first + 1);
  let total = 0;
  for (const value of pixels.values) {
    if (isPadding(value, of.padding)) continue;
    counts[value - first] = (counts[value - first] ?? 0) + 1;
    total++;
  }
  if (total === 0) return [0, 0];
  const reached = (part: number): number => {
    const wanted = Math.ceil(part * total);
    let sum = 0;
    for (let at = 0; at < counts.length; at++) {
      sum += counts[at] ?? 0;
      if (sum >= wanted) return first + at;
    }
    return last;
  };
  return [reached(0.01), reached(0.99)];
}

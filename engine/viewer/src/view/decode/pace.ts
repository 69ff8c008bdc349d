// What a worker takes for an image, by its size: small ones cost more for each pixel, so each size is measured by itself.

const GUESS = 8 / (512 * 512); // ms for a pixel, before anything was decoded
const KEPT = 9; // the last ones of a size: their median counts, for one that had to wait for a processor says nothing
const BELIEF = 4; // as many of them are what was thought at first: the very first are decoded while the decoder is compiled
const SMALL = 32 * 32; // those say more of beginning than of pixels

export class Pace {
  private readonly known = new Map<number, number[]>(); // quarterings of 2^32 pixels → ms for a pixel, the newest last

  measured(ms: number, pixels: number): void {
    if (pixels < SMALL) return;
    const size = sizeOf(pixels);
    const kept = this.known.get(size) ?? new Array<number>(BELIEF).fill(this.perPixel(size));
    kept.push(Math.max(ms, 0.05) / pixels);
    if (kept.length > KEPT) kept.shift();
    this.known.set(size, kept);
  }

  /** Milliseconds for an image of so many pixels, as measured lately. */
  ms(pixels: number): number {
    return this.perPixel(sizeOf(pixels)) * pixels;
  }

  /** Of this size, else of the nearest larger one, else no more than the nearest smaller one says. */
  private perPixel(size: number): number {
    const found = this.known.get(size);
    if (found !== undefined) return median(found);
    const sizes = [...this.known.keys()].sort((a, b) => a - b);
    const larger = sizes.findLast((one) => one < size);
    if (larger !== undefined) return this.perPixel(larger);
    const smaller = sizes.find((one) => one > size);
    return smaller === undefined ? GUESS : Math.min(GUESS, this.perPixel(smaller));
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? GUESS;
}

function sizeOf(pixels: number): number {
  return Math.round((32 - Math.log2(Math.max(pixels, 1))) / 2);
}

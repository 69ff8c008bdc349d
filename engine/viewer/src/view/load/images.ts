// The decoded frames of one series, each as fine as it is by now: a coarse one of every frame, fine ones as long as there is room.
import { byteCount, type Pixels } from '../image/pixels';

interface Kept {
  coarse: Pixels | undefined;
  fine: Pixels | undefined;
  used: number;
}

const COARSE_SIDE = 128;

let clock = 0; // orders uses over all series

export class Images {
  private readonly kept = new Map<string, Kept>();
  private fineBytes = 0;

  /** @param given takes what is given up; nobody looks at it any more */
  constructor(private readonly given: (pixels: Pixels) => void = () => undefined) {}

  /** The finest picture of a frame; undefined when there is none. */
  best(key: string): Pixels | undefined {
    const found = this.kept.get(key);
    if (found === undefined) return undefined;
    found.used = ++clock;
    return found.fine ?? found.coarse;
  }

  /** How often the sides of the finest one are halved; Infinity when there is none. */
  halvings(key: string): number {
    const found = this.kept.get(key);
    return (found?.fine ?? found?.coarse)?.halvings ?? Infinity;
  }

  put(key: string, pixels: Pixels): void {
    const found = this.kept.get(key) ?? { coarse: undefined, fine: undefined, used: ++clock };
    if (pixels.halvings >= ((found.fine ?? found.coarse)?.halvings ?? Infinity)) return;
    // What is small stays for good: a jump to anywhere has a picture.
    if (Math.max(pixels.width, pixels.height) <= COARSE_SIDE && pixels.halvings > 0) found.coarse = pixels;
    else {
      this.release(found);
      found.fine = pixels;
      this.fineBytes += byteCount(pixels);
    }
    this.kept.set(key, found);
  }

  /** Frames of which there is a picture. */
  get count(): number {
    return this.kept.size;
  }

  /** Bytes of the fine ones. */
  get byteCount(): number {
    return this.fineBytes;
  }

  /** The least recently used fine one, and when that was; undefined when there is none. */
  oldest(isNeeded: (key: string) => boolean): { key: string; used: number } | undefined {
    let found: { key: string; used: number } | undefined;
    for (const [key, { fine, used }] of this.kept) {
      if (fine !== undefined && (found === undefined || used < found.used) && !isNeeded(key)) found = { key, used };
    }
    return found;
  }

  /** Give up the fine one of a frame; it is decoded again when it is looked at. */
  drop(key: string): void {
    const found = this.kept.get(key);
    if (found === undefined) return;
    this.release(found);
    if (found.coarse === undefined) this.kept.delete(key);
  }

  /** Give up all of frames that are there no longer. */
  retain(isThere: (key: string) => boolean): void {
    for (const [key, found] of this.kept) {
      if (isThere(key)) continue;
      this.release(found);
      this.kept.delete(key);
    }
  }

  clear(): void {
    for (const found of this.kept.values()) this.release(found);
    this.kept.clear();
  }

  private release(found: Kept): void {
    if (found.fine === undefined) return;
    const { fine } = found;
    found.fine = undefined;
    this.fineBytes -= byteCount(fine);
    if (fine.kind === 'colour' && 'close' in fine.rgba) fine.rgba.close(); // browsers do not see how large it is, and keep it for long
    this.given(fine);
  }
}

// Pictures of a volume, one pass after the other: quick ones while the hand turns, then finer ones in bands until every pixel is there.
import type { Size } from '../draw/camera';
import { halved, type ColourPixels } from '../image/pixels';
import type { Caster } from './casters';
import type { View } from './job';
import type { Look } from './look';

const REST_MS = 160; // without a turn for so long, pictures become finer
const COMING_MS = 300; // while voxels come, one quick picture in so long
const QUICK_MS = 60; // a quick picture is only so large that it takes no longer
const BAND_MS = 40; // a hand that begins to turn waits no longer than a band
const PARTS_MS = 250; // what is ready of a fine picture is shown so often
const FINE_FIRST = 2; // halvings of the first fine picture
const QUICK_MOST = 4;

/** What a picture is made of. */
export interface Sight<S> {
  readonly state: S;
  readonly view: View;
  readonly look: Look;
  readonly size: Size;
  /** Rises with every change of what is seen, and of the voxels. */
  readonly version: number;
  readonly voxels: number;
  readonly isExact: boolean;
}

export interface Pass<S> {
  readonly sight: Sight<S>;
  readonly halvings: number;
  readonly isQuick: boolean;
  readonly pixels: ColourPixels;
}

interface Running<S> extends Pass<S> {
  readonly rgba: Uint8Array<ArrayBuffer>;
  next: number;
  left: number;
  shownAt: number;
}

export class Passes<S> {
  private running: Running<S> | undefined;
  private done: (Pass<S> & { at: number }) | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private movedAt = 0;
  private seenVersion = -1;
  private told: Look | undefined;
  private isClosed = false;
  // Of one ray, as measured lately; at first what two slow processors take.
  private readonly rayMs = { quick: 6e-4, fine: 2e-3 };

  /**
   * @param sight what is to be seen now; undefined: nothing yet
   * @param show a picture, or a part of a finer one
   */
  constructor(
    private readonly casters: Caster,
    private readonly sight: () => Sight<S> | undefined,
    private readonly show: (pass: Pass<S>) => void,
  ) {}

  /** Something has changed, or a worker is free. */
  pump(): void {
    if (this.isClosed) return;
    const sight = this.sight();
    if (sight === undefined) return;
    const now = performance.now();
    if (sight.version !== this.seenVersion) [this.seenVersion, this.movedAt] = [sight.version, now];
    // A quick picture is finished even when the hand has gone on: better a moment late than none.
    if (this.running !== undefined && !this.running.isQuick && this.running.sight.version !== sight.version) this.running = undefined;
    if (this.running === undefined) {
      const next = this.next(sight, now);
      if (next === undefined) return;
      this.running = this.begin(sight, next.halvings, next.isQuick, now);
    }
    const { running } = this;
    while (this.casters.isFree && running.next < running.pixels.height) this.band(running);
  }

  close(): void {
    this.isClosed = true;
    clearTimeout(this.timer);
    this.running = this.done = undefined;
  }

  private next(sight: Sight<S>, now: number): { halvings: number; isQuick: boolean } | undefined {
    const { done } = this;
    const quick = { halvings: this.quickHalvings(sight.size), isQuick: true };
    if (done === undefined || done.sight.version !== sight.version) return quick;
    if (done.sight.voxels !== sight.voxels) {
      if (now - done.at >= COMING_MS) return quick;
      return this.later(COMING_MS - (now - done.at));
    }
    if (now - this.movedAt < REST_MS) return this.later(REST_MS - (now - this.movedAt));
    if (done.isQuick) return { halvings: FINE_FIRST, isQuick: false };
    return done.halvings === 0 ? undefined : { halvings: done.halvings - 1, isQuick: false };
  }

  private later(ms: number): undefined {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.pump(), ms + 1);
  }

  private quickHalvings({ width, height }: Size): number {
    for (let halvings = this.casters.quickLeast; halvings < QUICK_MOST; halvings++) {
      if ((halved(width, halvings) * halved(height, halvings) * this.rayMs.quick) / this.casters.count <= QUICK_MS) return halvings;
    }
    return QUICK_MOST;
  }

  private begin(sight: Sight<S>, halvings: number, isQuick: boolean, now: number): Running<S> {
    const [width, height] = [halved(sight.size.width, halvings), halved(sight.size.height, halvings)];
    const rgba = new Uint8Array(4 * width * height);
    // Between two pictures only: all of one is seen in the same way.
    if (this.told !== sight.look) this.casters.see((this.told = sight.look));
    const isSame = this.done?.sight.version === sight.version && this.done.sight.size === sight.size;
    if (!isQuick && isSame && this.done !== undefined) enlarge(this.done.pixels, this.done.halvings - halvings, rgba, width, height);
    return { sight, halvings, isQuick, pixels: { kind: 'colour', width, height, halvings, rgba }, rgba, next: 0, left: height, shownAt: now };
  }

  private band(running: Running<S>): void {
    const { width, height } = running.pixels;
    const kind = running.isQuick ? 'quick' : 'fine';
    const rows = running.isQuick ? Math.ceil(height / (2 * this.casters.count)) : Math.max(1, Math.floor(BAND_MS / (this.rayMs[kind] * width)));
    const from = running.next;
    const to = Math.min(from + rows, height);
    running.next = to;
    const began = performance.now();
    this.casters.cast({ view: running.sight.view, halvings: running.halvings, isQuick: running.isQuick, from, to }).then(
      (rgba) => {
        this.rayMs[kind] += 0.25 * (Math.max(performance.now() - began, 0.05) / ((to - from) * width) - this.rayMs[kind]);
        if (running === this.running) this.took(running, rgba, from, to);
        this.pump();
      },
      () => {
        if (running === this.running) this.running = undefined; // the casters say why
      },
    );
  }

  private took(running: Running<S>, rgba: Uint8Array, from: number, to: number): void {
    running.rgba.set(rgba, 4 * from * running.pixels.width);
    running.left -= to - from;
    const now = performance.now();
    const { sight, halvings, isQuick } = running;
    if (running.left === 0) {
      this.running = undefined;
      // What is not exact, or drawn from fewer voxels, is coarse even where every pixel is there.
      const shown = this.pictured(running, sight.isExact && !isQuick ? halvings : Math.max(halvings, 1));
      this.done = { sight, halvings, isQuick, pixels: shown, at: now };
      this.show(this.done);
    } else if (!isQuick && now - running.shownAt >= PARTS_MS) {
      running.shownAt = now;
      this.show({ sight, halvings, isQuick, pixels: this.pictured(running, Math.max(halvings, 1)) });
    }
  }

  /** A new one each time: painters keep what they made of one. */
  private pictured({ pixels, rgba }: Running<S>, halvings: number): ColourPixels {
    return { kind: 'colour', width: pixels.width, height: pixels.height, halvings, rgba };
  }
}

/** A picture as the beginning of one with sides 2^levels as long. */
function enlarge({ rgba, width, height }: ColourPixels, levels: number, out: Uint8Array<ArrayBuffer>, columns: number, rows: number): void {
  if (!(rgba instanceof Uint8Array) || levels < 0) return;
  const from = new Uint32Array(rgba.buffer);
  const to = new Uint32Array(out.buffer);
  for (let y = 0; y < rows; y++) {
    const row = Math.min(y >> levels, height - 1) * width;
    for (let x = 0; x < columns; x++) to[y * columns + x] = from[row + Math.min(x >> levels, width - 1)] as number;
  }
}

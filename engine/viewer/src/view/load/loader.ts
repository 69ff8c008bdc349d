// What is decoded or fetched next: what is shown, coarse before fine; a coarse picture of every frame; what comes next.
import type { StreamSession } from '@voxcast/client';
import type { DecodePool } from '../decode/pool';
import { HttpFrames } from './fetched';
import { FrameStack, type StackFrame } from './stack';

/** What a viewport shows, and how. */
export interface Watch {
  readonly stack: FrameStack;
  readonly position: number;
  /** Halvings that its pixels can do with. */
  readonly enough: number;
  /** Positions a second; 0: the hand rests. */
  readonly velocity: number;
  readonly direction: -1 | 1;
  /** All frames are wanted alike, `enough` of each: how fine each is where it is wanted. */
  readonly have?: (position: number) => number;
}

interface Choice {
  stack: FrameStack;
  frame: StackFrame;
  position: number;
  halvings: number;
}

const COARSE_SIDE = 128;
const AHEAD_MOVING = 16;
const SUSTAINED = 0.7; // of the workers' time goes to what the hand passes
const RESTING_PART = 0.85; // of the room for decoded frames
const JOB_MS = 1; // to a worker and back
const VOLUME_HALVINGS = 2; // a volume is usable so
export const FINE_BYTES_MAX = 192 * 1024 * 1024; // of decoded frames, all series together

/**
 * How many frames on either side are decoded while the hand rests: all that there is room for, so that the next fling finds them.
 * Of a long series the nearest ones, and no more than are kept: what is decoded is never given up for what is decoded next.
 */
function around({ stack, position, enough }: Watch, watches: number): number {
  const entry = stack.frames[position]?.entry;
  if (entry === undefined) return 0;
  const isColour = stack.frames[position]?.header.samplesPerPixel === 3;
  const bytes = ((isColour ? 4 : 2) * entry.rows * entry.columns) / 4 ** enough;
  return Math.min(stack.frames.length, Math.floor((FINE_BYTES_MAX * RESTING_PART) / Math.max(bytes, 1) / 2 / watches));
}

export class FrameLoader {
  private readonly watches = new Map<object, Watch>();
  private readonly stacks = new Set<FrameStack>();
  private readonly busy = new Map<string, number>(); // key → halvings that it is being decoded to
  private readonly fetched: HttpFrames;
  private isPumping = false;

  constructor(
    private readonly session: StreamSession,
    private readonly pool: DecodePool,
  ) {
    this.fetched = new HttpFrames(pool);
  }

  stack(study: string, series: string): FrameStack {
    const stack = new FrameStack(this.session, study, series);
    this.stacks.add(stack);
    stack.on(() => this.wake());
    return stack;
  }

  close(stack: FrameStack): void {
    stack.close();
    this.stacks.delete(stack);
    this.fetched.forget(stack);
  }

  watch(viewport: object, watch: Watch): void {
    this.watches.set(viewport, watch);
    this.wake();
  }

  unwatch(viewport: object): void {
    this.watches.delete(viewport);
  }

  /** Many events of one turn of the page's loop are one look at what is next. */
  private wake(): void {
    if (this.isPumping) return;
    this.isPumping = true;
    queueMicrotask(() => {
      this.isPumping = false;
      this.pump();
    });
  }

  private pump(): void {
    const watches = [...this.watches.values()];
    this.fetched.want(watches);
    while (this.pool.hasRoom) {
      const next = this.next(watches);
      if (next === undefined) return;
      void this.decode(next);
    }
  }

  private async decode({ stack, frame, position, halvings }: Choice): Promise<void> {
    if (frame.route.kind !== 'stream') return;
    const busy = `${stack.series} ${frame.key}`;
    this.busy.set(busy, halvings);
    try {
      // Only what that resolution needs: the rest would be copied for nothing.
      const part = stack.streaming.part(position, halvings);
      if (part === undefined) return; // given up meanwhile
      const { bytes, reduce, isApproximate } = part;
      const pixels = await this.pool.decode(frame.route.coding, bytes.slice(), { halvings, reduce, isApproximate });
      if (this.stacks.has(stack)) stack.put(frame, pixels);
      this.keepWithin();
    } catch (error) {
      if (this.stacks.has(stack) && !stack.reroute(frame)) stack.fail(frame, error instanceof Error ? error.message : String(error));
    } finally {
      this.busy.delete(busy);
      this.wake();
    }
  }

  private next(watches: readonly Watch[]): Choice | undefined {
    for (const watch of watches) {
      if (watch.have !== undefined) continue;
      const found = watch.velocity === 0 ? this.choice(watch, watch.position, 0) : this.ahead(watch, 0, 1);
      if (found !== undefined) return found;
    }
    for (const watch of watches) {
      const found = watch.have === undefined ? this.coarse(watch) : undefined;
      if (found !== undefined) return found;
    }
    for (const watch of watches) {
      const found = watch.have === undefined ? undefined : this.volume(watch, watch.have);
      if (found !== undefined) return found;
    }
    for (const watch of watches) {
      if (watch.velocity === 0 || watch.have !== undefined) continue;
      const found = this.ahead(watch, 1, AHEAD_MOVING);
      if (found !== undefined) return found;
    }
    const resting = watches.filter((watch) => watch.velocity === 0 && watch.have === undefined).map((watch) => ({ watch, reach: around(watch, watches.length) }));
    for (let step = 1; resting.some(({ reach }) => step <= reach); step++) {
      for (const { watch, reach } of resting) {
        if (step > reach) continue;
        const { position, direction, enough } = watch;
        const found = this.choice(watch, position + direction * step, enough) ?? this.choice(watch, position - direction * step, enough);
        if (found !== undefined) return found;
      }
    }
    return undefined;
  }

  /**
   * A frame that the hand will come to, of `count` from the `from`-th on: counted from where it is when a frame that is begun
   * now is ready, and only as fine as the workers can make every frame that it passes.
   */
  private ahead(watch: Watch, from: number, count: number): Choice | undefined {
    const { stack, position, velocity, enough } = watch;
    const frame = stack.frames[position];
    if (frame === undefined) return undefined;
    const pixels = frame.entry.rows * frame.entry.columns;
    const speed = Math.abs(velocity);
    let halvings = enough;
    const ms = () => (this.pool.msPerPixel * pixels) / 4 ** halvings + JOB_MS;
    while (halvings < frame.entry.ends.length - 1 && ms() * speed > SUSTAINED * 1000 * this.pool.workers) halvings++;
    const way = velocity > 0 ? 1 : -1;
    const late = Math.floor((speed * ms()) / 1000);
    for (let step = from; step < from + count; step++) {
      const found = this.choice(watch, position + way * (late + step), halvings);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Decode a frame as fine as it has come, and no finer than wanted; undefined when it is so already, or being decoded. */
  private choice({ stack }: Watch, position: number, wanted: number): Choice | undefined {
    const frame = stack.frames[position];
    if (frame === undefined || frame.route.kind !== 'stream' || stack.failures.has(frame.key)) return undefined;
    const come = stack.streaming.halvings(position);
    if (come < 0) return undefined;
    const halvings = Math.max(come, Math.min(wanted, frame.entry.ends.length - 1));
    if (halvings >= stack.images.halvings(frame.key)) return undefined;
    const busy = this.busy.get(`${stack.series} ${frame.key}`);
    return busy === undefined || halvings < busy ? { stack, frame, position, halvings } : undefined;
  }

  /** The frame that is coarsest in a block, if it has come finer: a quarter of its sides for all, before more for any. */
  private volume({ stack, enough }: Watch, have: (position: number) => number): Choice | undefined {
    for (const wanted of [Math.max(VOLUME_HALVINGS, enough), enough]) {
      for (const [position, frame] of stack.frames.entries()) {
        if (frame.route.kind !== 'stream' || have(position) <= wanted || stack.failures.has(frame.key)) continue;
        const come = stack.streaming.halvings(position);
        const halvings = Math.max(come, Math.min(wanted, frame.entry.ends.length - 1));
        const busy = this.busy.get(`${stack.series} ${frame.key}`) ?? Infinity;
        if (come >= 0 && halvings < Math.min(have(position), busy)) return { stack, frame, position, halvings };
      }
    }
    return undefined;
  }

  /** The nearest frame of which there is no picture at all. */
  private coarse(watch: Watch): Choice | undefined {
    const { stack, position } = watch;
    const count = stack.frames.length;
    for (let step = 0; step < count; step++) {
      for (const at of step === 0 ? [position] : [position + watch.direction * step, position - watch.direction * step]) {
        const frame = stack.frames[at];
        if (frame === undefined || stack.images.halvings(frame.key) !== Infinity || this.busy.has(`${stack.series} ${frame.key}`)) continue;
        const side = Math.max(frame.entry.rows, frame.entry.columns);
        const found = this.choice(watch, at, Math.max(0, Math.ceil(Math.log2(side / COARSE_SIDE))));
        if (found !== undefined) return found;
      }
    }
    return undefined;
  }

  private keepWithin(): void {
    const isShown = (stack: FrameStack) => (key: string) => {
      const position = stack.positionOf(key);
      return [...this.watches.values()].some((watch) => watch.stack === stack && watch.position === position);
    };
    let total = [...this.stacks].reduce((sum, stack) => sum + stack.images.byteCount, 0);
    while (total > FINE_BYTES_MAX) {
      let oldest: { stack: FrameStack; key: string; used: number } | undefined;
      for (const stack of this.stacks) {
        const found = stack.images.oldest(isShown(stack));
        if (found !== undefined && (oldest === undefined || found.used < oldest.used)) oldest = { stack, ...found };
      }
      if (oldest === undefined) return;
      const before = oldest.stack.images.byteCount;
      oldest.stack.images.drop(oldest.key);
      total -= before - oldest.stack.images.byteCount;
    }
  }

  dispose(): void {
    for (const stack of [...this.stacks]) this.close(stack);
    this.watches.clear();
    this.fetched.close();
    this.pool.close();
  }
}

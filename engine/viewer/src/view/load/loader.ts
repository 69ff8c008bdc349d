// Has decoded or fetched what viewports show and will show (choosing.ts says what is next), and keeps it within its room.
import type { StreamSession } from '@voxcast/client';
import type { DecodePool } from '../decode/pool';
import { nextOf, type Choice, type Means, type Watch } from './choosing';
import { HttpFrames } from './fetched';
import { FrameStack, type StackFrame } from './stack';

export const FINE_BYTES_MAX = 192 * 1024 * 1024; // of decoded frames, all series together

export class FrameLoader {
  private readonly watches = new Map<object, Watch>();
  private readonly stacks = new Set<FrameStack>();
  private readonly busy = new Map<FrameStack, Map<string, number>>(); // key → halvings that it is being decoded to
  private readonly fetched: HttpFrames;
  private readonly means: Means;
  private isPumping = false;

  constructor(
    private readonly session: StreamSession,
    private readonly pool: DecodePool,
  ) {
    this.fetched = new HttpFrames(pool);
    const busy = (stack: FrameStack, frame: StackFrame) => this.busy.get(stack)?.get(frame.key) ?? Infinity;
    this.means = {
      get workers() {
        return pool.workers;
      },
      ms: (pixels) => pool.ms(pixels),
      busy,
      roomBytes: FINE_BYTES_MAX,
    };
  }

  stack(study: string, series: string): FrameStack {
    const stack = new FrameStack(this.session, study, series, (pixels) => this.pool.reuse(pixels));
    this.stacks.add(stack);
    stack.on(() => this.wake());
    return stack;
  }

  close(stack: FrameStack): void {
    stack.close();
    this.stacks.delete(stack);
    this.busy.delete(stack);
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
      const next = nextOf(watches, this.means);
      if (next === undefined) return;
      void this.decode(next);
    }
  }

  private async decode({ stack, frame, position, halvings }: Choice): Promise<void> {
    if (frame.route.kind !== 'stream') return;
    const busy = this.busy.get(stack) ?? new Map<string, number>();
    this.busy.set(stack, busy.set(frame.key, halvings));
    try {
      // Only what that resolution needs: the rest would be copied for nothing.
      const part = stack.streaming.part(position, halvings);
      if (part === undefined) return; // given up meanwhile
      const { bytes, reduce, isApproximate } = part;
      const pixels = await this.pool.decode(frame.route.coding, this.pool.copied(bytes), { halvings, reduce, isApproximate });
      if (this.stacks.has(stack)) stack.put(frame, pixels);
      this.keepWithin();
    } catch (error) {
      if (this.stacks.has(stack) && !stack.reroute(frame)) stack.fail(frame, error instanceof Error ? error.message : String(error));
    } finally {
      // One that was begun later, and finer, is still under way.
      if (busy.get(frame.key) === halvings) busy.delete(frame.key);
      this.wake();
    }
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

// Frames that do not come by the session: unpacked or drawn by the server, the nearest to what is shown first, a few at a time.
import { WHOLE } from '../decode/job';
import type { DecodePool } from '../decode/pool';
import type { Pixels } from '../image/pixels';
import { request, seriesPath } from './http';
import type { Watch } from './choosing';
import type { FrameStack, StackFrame } from './stack';

const REQUESTS_MAX = 3; // of the six that a browser opens to a server
const AROUND = 12;

interface Wanted {
  stack: FrameStack;
  frame: StackFrame;
  isMoving: boolean;
}

interface Running {
  stack: FrameStack;
  stop: AbortController;
}

export class HttpFrames {
  private readonly running = new Map<string, Running>();
  private readonly drawn = new WeakMap<FrameStack, Map<string, string>>(); // key → the window and quality it was drawn in
  private wanted: Wanted[] = [];

  constructor(private readonly pool: DecodePool) {}

  /** What is wanted from now on; what runs and is no longer among it is aborted. */
  want(watches: readonly Watch[]): void {
    this.wanted = [];
    const seen = new Set<string>();
    for (let step = 0; step <= AROUND; step++) {
      for (const watch of watches) {
        const { stack, position, direction, velocity } = watch;
        for (const at of step === 0 ? [position] : [position + direction * step, position - direction * step]) {
          const frame = stack.frames[at];
          if (frame === undefined || frame.route.kind === 'stream' || frame.route.kind === 'plane') continue;
          const name = nameOf(stack, frame);
          if (seen.has(name)) continue;
          seen.add(name);
          this.wanted.push({ stack, frame, isMoving: velocity !== 0 || step > 0 });
        }
      }
    }
    for (const [name, { stop }] of this.running) if (!seen.has(name)) stop.abort();
    this.pump();
  }

  forget(stack: FrameStack): void {
    for (const one of this.running.values()) if (one.stack === stack) one.stop.abort();
  }

  close(): void {
    this.wanted = [];
    for (const { stop } of this.running.values()) stop.abort();
  }

  private pump(): void {
    for (const one of this.wanted) {
      if (this.running.size >= REQUESTS_MAX) return;
      const name = nameOf(one.stack, one.frame);
      if (this.running.has(name) || one.stack.failures.has(one.frame.key) || this.isThere(one)) continue;
      void this.fetch(name, one);
    }
  }

  private isThere({ stack, frame, isMoving }: Wanted): boolean {
    if (frame.route.kind === 'native') return stack.images.halvings(frame.key) === 0;
    const drawn = this.drawn.get(stack)?.get(frame.key);
    return drawn === `exact ${stack.pictureQuery}` || (isMoving && drawn === `quick ${stack.pictureQuery}`);
  }

  private async fetch(name: string, { stack, frame, isMoving }: Wanted): Promise<void> {
    const stop = new AbortController();
    this.running.set(name, { stack, stop });
    const path = `${seriesPath(stack.study, stack.series)}/instances/${frame.entry.sopInstanceUid}/frames/${frame.entry.frameNumber}`;
    try {
      if (frame.route.kind === 'native') {
        const accept = 'application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1';
        const bytes = new Uint8Array(await (await request(path, accept, stop.signal)).arrayBuffer());
        stack.put(frame, await this.pool.decode(frame.route.coding, bytes, WHOLE));
      } else {
        const query = stack.pictureQuery;
        const pixels = await picture(path, query, isMoving, stop.signal);
        stack.images.drop(frame.key); // of another window
        stack.put(frame, pixels);
        const drawn = this.drawn.get(stack) ?? new Map<string, string>();
        this.drawn.set(stack, drawn.set(frame.key, `${isMoving ? 'quick' : 'exact'} ${query}`));
      }
    } catch (error) {
      if (!stop.signal.aborted) stack.fail(frame, error instanceof Error ? error.message : String(error));
    } finally {
      this.running.delete(name);
      this.pump();
    }
  }
}

/** As the server draws it: as JPEG while the hand moves, without loss when it rests. */
async function picture(path: string, query: string, isQuick: boolean, signal: AbortSignal): Promise<Pixels> {
  const parts = [query, isQuick ? 'quality=90' : ''].filter(Boolean).join('&');
  const answer = await request(`${path}/rendered${parts ? `?${parts}` : ''}`, isQuick ? 'image/jpeg' : 'image/png', signal);
  const bitmap = await createImageBitmap(await answer.blob(), { colorSpaceConversion: 'none', premultiplyAlpha: 'none' });
  // Lossy counts as half the size: it is not what was stored.
  return { kind: 'colour', width: bitmap.width, height: bitmap.height, halvings: isQuick ? 1 : 0, rgba: bitmap };
}

function nameOf(stack: FrameStack, frame: StackFrame): string {
  return `${stack.series} ${frame.key}`;
}

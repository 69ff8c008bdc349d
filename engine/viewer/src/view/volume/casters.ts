// The workers that cast rays: each holds a copy of the block, and has one band at a time, so that a hand that turns waits for little.
import type { Answer, Band, Frame, Plan, Told } from './job';
import type { Look } from './look';

/** Of all copies together. */
export const CAST_BYTES_MAX = 160 * 1024 * 1024;
const WORKERS_MAX = 4;
const BAND_MS_MAX = 30_000; // longer and something is wrong

type Waiting = { resolve: (rgba: Uint8Array<ArrayBuffer>) => void; reject: (error: Error) => void; timer: ReturnType<typeof setTimeout> };

interface One {
  readonly worker: Worker;
  waiting: Waiting | undefined;
  number: number;
}

/** How many copies of a block there is room for: as many as can work at a time. */
export function copiesOf(bytes: number, processors: number): number {
  return Math.max(1, Math.min(WORKERS_MAX, processors, Math.floor(CAST_BYTES_MAX / Math.max(bytes, 1))));
}

/** What casts rays: workers, or a graphics card. */
export interface Caster {
  readonly count: number;
  readonly isFree: boolean;
  /** Halvings of the largest pictures that it may be asked for while the hand turns. */
  readonly quickLeast: number;
  put(frame: Frame): void;
  see(look: Look): void;
  /** Rows of a picture, as bytes of its pixels. Only when it is free. */
  cast(band: Omit<Band, 'number'>): Promise<Uint8Array<ArrayBuffer>>;
  close(): void;
}

export class Casters implements Caster {
  readonly quickLeast = 1;
  private readonly all: One[] = [];
  private failure: Error | undefined;

  /** @param failed told once when a worker is lost: nothing comes any more */
  constructor(
    plan: Plan,
    count: number,
    private readonly failed: (error: Error) => void,
    make: () => Worker = () => new Worker(new URL('./worker.ts', import.meta.url), { type: 'module', name: 'cast' }),
  ) {
    for (let at = 0; at < count; at++) {
      const one: One = { worker: make(), waiting: undefined, number: 0 };
      one.worker.onmessage = (event: MessageEvent<Answer>) => this.answered(one, event.data);
      one.worker.onerror = (event) => {
        event.preventDefault();
        this.lost(new Error(event.message || 'a worker was lost'));
      };
      this.all.push(one);
    }
    this.tell({ plan });
  }

  get count(): number {
    return this.all.length;
  }

  put(frame: Frame): void {
    this.tell({ frame });
  }

  see(look: Look): void {
    this.tell({ look });
  }

  get isFree(): boolean {
    return this.all.some(({ waiting }) => waiting === undefined);
  }

  /** Rows of a picture, as bytes of its pixels. Only when one is free. Rejects when the worker is lost, or says why it cannot. */
  cast(band: Omit<Band, 'number'>): Promise<Uint8Array<ArrayBuffer>> {
    const one = this.all.find(({ waiting }) => waiting === undefined);
    if (this.failure !== undefined) return Promise.reject(this.failure);
    if (one === undefined) return Promise.reject(new Error('every worker is busy'));
    const number = ++one.number;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.lost(new Error('a worker does not answer')), BAND_MS_MAX);
      one.waiting = { resolve, reject, timer };
      one.worker.postMessage({ band: { ...band, number } } satisfies Told);
    });
  }

  close(): void {
    this.lost(new Error('the rendering was closed'), false);
  }

  private answered(one: One, answer: Answer): void {
    const { waiting } = one;
    if (waiting === undefined || answer.number !== one.number) return;
    one.waiting = undefined;
    clearTimeout(waiting.timer);
    if ('rgba' in answer) waiting.resolve(answer.rgba);
    else waiting.reject(new Error(answer.error));
  }

  private lost(error: Error, isTold = true): void {
    if (this.failure !== undefined) return;
    this.failure = error;
    for (const { worker, waiting } of this.all) {
      worker.terminate(); // gives its copy back
      clearTimeout(waiting?.timer);
      waiting?.reject(error);
    }
    if (isTold) this.failed(error);
  }

  private tell(told: Told): void {
    for (const { worker } of this.all) worker.postMessage(told);
  }
}

// The workers that decode: as many as there are processors to spare, each with one job, and one more that waits.
import workerUrl from './worker?worker&url';
import { halved, type Pixels } from '../image/pixels';
import { Pace } from './pace';
import { Spares } from './spares';
import { type Coding, type DecodeAnswer, type DecodeJob, type Size } from './job';

const JOBS_EACH = 2; // the second keeps a worker busy while its answer is taken; more could not be taken back
const WORKERS_MAX = 4;
const GRAIN = 64 * 1024; // bytes of code streams are copied into buffers of so many, so that they fit for others
const FAILURES_MAX = 3; // of a worker itself, not of a job

interface Running {
  worker: Worker;
  jobs: Map<number, { resolve: (pixels: Pixels) => void; reject: (error: Error) => void }>;
}

export class DecodePool {
  private readonly running: Running[] = [];
  private next = 1;
  private failures = 0;
  private readonly pace = new Pace();
  private readonly spares = new Spares();
  private isClosed = false;

  constructor(
    private readonly make: () => Worker = () => new Worker(workerUrl, { type: 'module', name: 'decode' }),
    private readonly size = Math.min(Math.max((navigator.hardwareConcurrency || 2) - 1, 1), WORKERS_MAX),
  ) {
    for (let count = 0; count < this.size; count++) this.start();
  }

  get workers(): number {
    return this.running.length;
  }

  /** What a worker takes for an image of so many pixels, as measured lately; what waits in front of it does not count. */
  ms(pixels: number): number {
    return this.pace.ms(pixels);
  }

  /** Whether a job would be begun soon: who has more to decode waits until then, and decides again what. */
  get hasRoom(): boolean {
    return this.running.some(({ jobs }) => jobs.size < JOBS_EACH);
  }

  /** The bytes are given away. Rejects where they are no such frame, or when the pool is closed. */
  decode(coding: Coding, bytes: Uint8Array<ArrayBuffer>, size: Size): Promise<Pixels> {
    const to = this.running.reduce<Running | undefined>((least, one) => (least !== undefined && least.jobs.size <= one.jobs.size ? least : one), undefined);
    if (to === undefined) return Promise.reject(new Error('there is nothing that decodes'));
    const room = coding.form === 'htj2k' ? this.spares.take(valueBytes(coding, size)) : undefined;
    const job: DecodeJob = { number: this.next++, coding, bytes, size, room };
    return new Promise((resolve, reject) => {
      to.jobs.set(job.number, { resolve, reject });
      to.worker.postMessage(job, room === undefined ? [bytes.buffer] : [bytes.buffer, room]);
    });
  }

  /** A copy of bytes, to be given away. */
  copied(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
    const length = Math.ceil(bytes.length / GRAIN) * GRAIN;
    const copy = new Uint8Array(this.spares.take(length) ?? new ArrayBuffer(length), 0, bytes.length);
    copy.set(bytes);
    return copy;
  }

  /** An image that nobody needs any more: others are decoded into its memory. Whoever still has it finds no values in it then. */
  reuse(pixels: Pixels): void {
    if (pixels.kind === 'grey') this.spares.give(pixels.values.buffer);
  }

  close(): void {
    this.isClosed = true;
    this.spares.clear();
    for (const one of this.running.splice(0)) this.stop(one, 'the viewer was closed');
  }

  private start(): void {
    const running: Running = { worker: this.make(), jobs: new Map() };
    running.worker.onmessage = (event: MessageEvent<DecodeAnswer>) => {
      const answer = event.data;
      const waiting = running.jobs.get(answer.number);
      running.jobs.delete(answer.number);
      if ('pixels' in answer) {
        this.pace.measured(answer.ms, answer.pixels.width * answer.pixels.height);
        this.spares.give(answer.spare);
        waiting?.resolve(answer.pixels);
      } else waiting?.reject(new Error(answer.error));
    };
    running.worker.onerror = (event) => {
      // Out of memory, or its script could not be loaded: its jobs are lost, and another one may fare better.
      event.preventDefault();
      const at = this.running.indexOf(running);
      if (at < 0) return;
      this.running.splice(at, 1);
      this.stop(running, event.message || 'the decoder could not be loaded');
      if (!this.isClosed && ++this.failures <= FAILURES_MAX) this.start();
    };
    this.running.push(running);
  }

  private stop(running: Running, why: string): void {
    running.worker.terminate();
    for (const { reject } of running.jobs.values()) reject(new Error(why));
    running.jobs.clear();
  }
}

/** Of the stored values of a frame in that size, as the decoder writes them. */
function valueBytes({ rows, columns, bitsStored }: Coding, { halvings }: Size): number {
  return halved(rows, halvings) * halved(columns, halvings) * (bitsStored > 8 ? 2 : 1);
}

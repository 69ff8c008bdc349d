// The workers that decode: as many as there are processors to spare, each with one job, and one more that waits.
import workerUrl from './worker?worker&url';
import type { Pixels } from '../image/pixels';
import { Pace } from './pace';
import { type Coding, type DecodeAnswer, type DecodeJob, type Size } from './job';

const JOBS_EACH = 2; // the second keeps a worker busy while its answer is taken; more could not be taken back
const WORKERS_MAX = 4;
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
    const job: DecodeJob = { number: this.next++, coding, bytes, size };
    return new Promise((resolve, reject) => {
      to.jobs.set(job.number, { resolve, reject });
      to.worker.postMessage(job, [bytes.buffer]);
    });
  }

  close(): void {
    this.isClosed = true;
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

// The workers that decode, made of none.
import { describe, expect, it } from 'vitest';
import { WHOLE, type Coding, type DecodeAnswer, type DecodeJob } from '../../src/view/decode/job';
import { Pace } from '../../src/view/decode/pace';
import { Spares } from '../../src/view/decode/spares';
import { DecodePool } from '../../src/view/decode/pool';

const CODING: Coding = {
  form: 'htj2k', rows: 512, columns: 512, samplesPerPixel: 1, bitsAllocated: 16, bitsStored: 12, highBit: 11, isSigned: false, planarConfiguration: 0,
  photometricInterpretation: 'MONOCHROME2', isMasked: false,
};

class Answering {
  onmessage: ((event: MessageEvent<DecodeAnswer>) => void) | null = null;
  onerror: ((event: ErrorEvent) => void) | null = null;
  readonly jobs: DecodeJob[] = [];

  postMessage(job: DecodeJob, transfer: ArrayBuffer[]): void {
    this.jobs.push(structuredClone(job, { transfer }));
  }

  answer(side: number, ms: number): void {
    const { number, bytes, room } = this.jobs.shift()!;
    const values = new Uint16Array(room ?? new ArrayBuffer(2 * side * side));
    this.onmessage?.({ data: { number, ms, pixels: { kind: 'grey', width: side, height: side, halvings: 0, values }, spare: bytes.buffer } } as MessageEvent<DecodeAnswer>);
  }

  terminate(): void {
    this.jobs.length = 0;
  }
}

describe('the decoders', () => {
  it('know their pace by what decoding takes, however long a job has waited', async () => {
    const worker = new Answering();
    const pool = new DecodePool(() => worker as unknown as Worker, 1);
    for (let round = 0; round < 60; round++) {
      const both = [1, 2].map(() => pool.decode(CODING, new Uint8Array(8), WHOLE));
      expect(pool.hasRoom).toBe(false);
      await new Promise((done) => setTimeout(done, 1));
      worker.answer(512, 8);
      worker.answer(512, 8);
      await Promise.all(both);
    }
    expect(pool.ms(512 * 512)).toBeCloseTo(8, 3);
    const small = pool.decode(CODING, new Uint8Array(8), { halvings: 5, reduce: 5, isApproximate: false });
    worker.answer(16, 4);
    await small;
    expect(pool.ms(512 * 512)).toBeCloseTo(8, 3);
  });
});

describe('memory', () => {
  it('of images that were given up is decoded into; who still has one finds nothing in it, and never another frame', async () => {
    const worker = new Answering();
    const pool = new DecodePool(() => worker as unknown as Worker, 1);
    const decode = async () => {
      const decoding = pool.decode(CODING, pool.copied(new Uint8Array(100_000)), WHOLE);
      worker.answer(512, 8);
      const pixels = await decoding;
      if (pixels.kind !== 'grey') throw new Error('it is grey');
      return pixels;
    };
    const first = await decode();
    first.values.fill(7);
    pool.reuse(first);
    expect(first.values[0]).toBe(7); // until it is used
    const { buffer } = first.values;
    const second = await decode();
    expect([first.values.length, buffer.byteLength, second.values.length]).toEqual([0, 0, 512 * 512]);
    const third = await decode(); // nothing was given up meanwhile
    expect([second.values.length, third.values.length]).toEqual([512 * 512, 512 * 512]);
  });

  it('of code streams goes to a worker and comes back for the next one, whatever its length', () => {
    const worker = new Answering();
    const pool = new DecodePool(() => worker as unknown as Worker, 1);
    const stream = Uint8Array.from({ length: 70_000 }, (_, at) => at % 251);
    void pool.decode(CODING, pool.copied(stream), WHOLE);
    const [job] = worker.jobs;
    expect([job?.bytes.length, job?.bytes.every((byte, at) => byte === at % 251)]).toEqual([70_000, true]);
    const { buffer } = job!.bytes;
    worker.answer(512, 8);
    expect(pool.copied(stream.subarray(0, 130_000)).buffer).toBe(buffer);
    expect(pool.copied(stream).buffer).not.toBe(buffer);
  });

  it('that waits is bounded', () => {
    const spares = new Spares();
    const all = Array.from({ length: 40 }, () => new ArrayBuffer(512 * 1024));
    for (const one of all) spares.give(one);
    spares.give(new ArrayBuffer(64 * 1024 * 1024)); // one frame must not push out all others
    let count = 0;
    while (spares.take(512 * 1024) !== undefined) count++;
    expect(count).toBe(16);
    expect(spares.take(64 * 1024 * 1024)).toBeUndefined();
  });
});

describe('the pace', () => {
  const [whole, half, quarter] = [512 * 512, 256 * 256, 128 * 128];

  it('is that of each size, and is not spoiled by one that had to wait', () => {
    const pace = new Pace();
    for (let round = 0; round < 9; round++) pace.measured(5, whole);
    for (let round = 0; round < 9; round++) pace.measured(1, quarter);
    pace.measured(80, whole);
    expect([pace.ms(whole), pace.ms(quarter)].map((ms) => Math.round(ms * 10))).toEqual([50, 10]);
  });

  it('of small ones does not keep from larger ones, nor do the first ones of a cold decoder', () => {
    const pace = new Pace();
    const guess = pace.ms(whole);
    for (let round = 0; round < 40; round++) pace.measured(1.5, quarter); // 24 ms for the whole, if pixels were all
    expect(pace.ms(whole)).toBeLessThanOrEqual(guess);
    pace.measured(60, whole);
    pace.measured(20, whole);
    expect(pace.ms(whole)).toBeLessThanOrEqual(guess);
  });

  it('of a size that was never decoded is at least a part of that of a larger one', () => {
    const pace = new Pace();
    for (let round = 0; round < 9; round++) pace.measured(40, whole);
    expect(pace.ms(half)).toBeCloseTo(10, 5);
    for (let round = 0; round < 9; round++) pace.measured(40, whole);
    expect(pace.ms(whole)).toBeCloseTo(40, 5);
  });
});

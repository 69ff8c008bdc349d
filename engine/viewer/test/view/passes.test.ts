// Pictures of volumes, one pass after the other; the address that a view is shared by; workers that are lost.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Casters, copiesOf } from '../../src/view/volume/casters';
import type { Band, Frame, Plan, Told } from '../../src/view/volume/job';
import type { GreyPixels } from '../../src/view/image/pixels';
import { Feed } from '../../src/view/volume/feed';
import { frameHeader } from '../../src/view/dicom/frame';
import { lookOf, type Preset } from '../../src/view/volume/look';
import { volumePresets } from '../../src/view/volume/presets';
import { FRONT, viewOf } from '../../src/view/volume/orbit';
import { Passes, type Pass, type Sight } from '../../src/view/volume/passes';
import { AT_FIRST, ordered, read, UNMOVED, WHOLE, written } from '../../src/view/volume/state';

const VOLUME = { origin: [0, 0, 0], axes: [[1, 0, 0], [0, 1, 0], [0, 0, 1]].map((direction) => ({ direction, step: 1, count: 8 })), frameOfReferenceUid: '1' } as never;
const LOOK = lookOf(volumePresets(frameHeader({}, 1))[0] as Preset, UNMOVED, { slope: 1, intercept: 0, range: [0, 1] });
const SIZE = { width: 64, height: 48 };
const PLAN: Plan = { sizes: [8, 8, 8], halvings: 0, steps: [1, 1, 1], isSigned: false, empty: 0, range: [0, 4095] };

class FakeWorker {
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onerror: ((event: { message: string; preventDefault(): void }) => void) | null = null;
  readonly told: Told[] = [];
  isOver = false;
  postMessage(told: Told): void {
    this.told.push(told);
  }
  terminate(): void {
    this.isOver = true;
  }
  get bands(): Band[] {
    return this.told.flatMap((one) => ('band' in one ? [one.band] : []));
  }
  /** Answer the last band. */
  answer(): void {
    const band = this.bands.at(-1);
    if (band === undefined) return;
    const width = Math.ceil(band.view.width / 2 ** band.halvings);
    this.onmessage?.({ data: { number: band.number, rgba: new Uint8Array(4 * width * (band.to - band.from)), ms: 1 } });
  }
}

describe('passes', () => {
  let workers: FakeWorker[];
  let sight: Sight<string>;
  let shown: Pass<string>[];
  let passes: Passes<string>;
  const settle = async () => {
    for (let turn = 0; turn < 6; turn++) await Promise.resolve();
  };
  /** Every worker answers until none has anything to do. */
  const work = async () => {
    for (let round = 0; round < 60; round++) {
      const before = workers.reduce((sum, { bands }) => sum + bands.length, 0);
      for (const worker of workers) worker.answer();
      await settle();
      if (workers.reduce((sum, { bands }) => sum + bands.length, 0) === before) return;
    }
  };

  beforeEach(() => {
    vi.useFakeTimers();
    workers = [];
    shown = [];
    sight = { state: 'one', view: viewOf(FRONT, VOLUME, SIZE, WHOLE), look: LOOK, size: SIZE, version: 1, voxels: 1, isExact: true };
    const make = () => {
      const worker = new FakeWorker();
      workers.push(worker);
      return worker as unknown as Worker;
    };
    const casters = new Casters(PLAN, 2, () => undefined, make);
    passes = new Passes(casters, () => sight, (pass) => shown.push(pass));
  });
  afterEach(() => {
    passes.close();
    vi.useRealTimers();
  });

  it('become finer when the hand rests, until every pixel is there', async () => {
    passes.pump();
    await work();
    expect(shown.map(({ isQuick, halvings }) => [isQuick, halvings])).toEqual([[true, 1]]);
    expect(shown[0]?.pixels.halvings).toBeGreaterThan(0);
    await vi.advanceTimersByTimeAsync(200);
    await work();
    expect(shown.filter(({ isQuick }) => !isQuick).map(({ halvings }) => halvings)).toEqual([2, 1, 0]);
    expect(shown.at(-1)?.pixels).toMatchObject({ width: 64, height: 48, halvings: 0 });
    const count = shown.length;
    await vi.advanceTimersByTimeAsync(2000);
    await work();
    expect(shown.length).toBe(count); // nothing is drawn again for nothing
    // Every row of the last pass was asked for once.
    const rows = workers.flatMap(({ bands }) => bands).filter(({ halvings, isQuick }) => halvings === 0 && !isQuick).sort((a, b) => a.from - b.from);
    expect(rows.reduce((at, { from, to }) => (from === at ? to : NaN), 0)).toBe(48);
  });

  it('say that they are coarse while voxels are', async () => {
    sight = { ...sight, isExact: false };
    passes.pump();
    await work();
    await vi.advanceTimersByTimeAsync(200);
    await work();
    expect(shown.at(-1)).toMatchObject({ halvings: 0, isQuick: false });
    expect(shown.at(-1)?.pixels.halvings).toBe(1);
    sight = { ...sight, isExact: true, voxels: 2 };
    passes.pump();
    await vi.advanceTimersByTimeAsync(400);
    await work();
    await vi.advanceTimersByTimeAsync(400);
    await work();
    expect(shown.at(-1)?.pixels.halvings).toBe(0);
  });

  it('are given up for a hand that turns again, within a band', async () => {
    passes.pump();
    await work();
    await vi.advanceTimersByTimeAsync(200); // the first fine one has begun
    expect(workers.some(({ bands }) => bands.at(-1)?.isQuick === false)).toBe(true);
    sight = { ...sight, state: 'two', version: 2 };
    passes.pump();
    await work();
    expect(shown.at(-1)).toMatchObject({ isQuick: true, sight: { state: 'two' } });
    expect(shown.filter((one) => one.sight.state === 'one' && !one.isQuick)).toEqual([]);
  });
});

describe('frames on their way to the casters', () => {
  const header = frameHeader({ '00281053': { Value: [2] }, '00281052': { Value: [-10] } }, 1);
  const frames = ['a', 'b', 'c', 'd'].map((key) => ({ key, route: { kind: 'stream' }, header: { ...header, slope: key === 'b' ? 1 : 2 } }));
  const pixels = (halvings: number): GreyPixels => ({ kind: 'grey', width: 8 >> halvings, height: 8 >> halvings, halvings, values: new Uint16Array((8 >> halvings) ** 2) });

  it('go when they are finer than what is there, coarse ones first, and say when all are exact', () => {
    const best = new Map<number, GreyPixels>([[1, pixels(2)]]);
    let hear: (position: number | undefined) => void = () => undefined;
    const stack = { frames: [...frames], best: (position: number) => best.get(position), on: (listener: typeof hear) => ((hear = listener), () => undefined) };
    const put: Frame[] = [];
    const fed: number[] = [];
    let rearranged = 0;
    const casters = { put: (frame: Frame) => put.push(frame) } as unknown as Casters;
    const feed = new Feed(stack as never, frames[0]?.header as never, { ...PLAN, sizes: [8, 8, 4] }, casters, (position) => fed.push(position), () => rearranged++);
    expect(put.map(({ position, halvings, factor, offset }) => [position, halvings, factor, offset])).toEqual([[1, 2, 0.5, 0]]);
    expect([feed.isEmpty, feed.isExact, feed.fineness(0), feed.fineness(1)]).toEqual([false, false, Infinity, 2]);
    hear(1); // nothing finer than before
    expect(put.length).toBe(1);
    for (const position of [0, 1, 2, 3]) {
      best.set(position, pixels(0));
      hear(position);
    }
    expect([feed.isExact, fed, put.length]).toEqual([true, [0, 1, 2, 3], 5]);
    hear(undefined); // the same frames
    expect(rearranged).toBe(0);
    stack.frames.push({ ...(frames[0] as (typeof frames)[0]), key: 'e' });
    hear(undefined);
    expect(rearranged).toBe(1);
  });
});

describe('workers', () => {
  const make = (made: FakeWorker[]) => () => {
    const worker = new FakeWorker();
    made.push(worker);
    return worker as unknown as Worker;
  };
  const band = { view: viewOf(FRONT, VOLUME, SIZE, WHOLE), halvings: 0, isQuick: false, from: 0, to: 4 };

  it('are all given back when one is lost, and it is told once', async () => {
    const made: FakeWorker[] = [];
    const told: string[] = [];
    const casters = new Casters(PLAN, 2, ({ message }) => told.push(message), make(made));
    const waiting = casters.cast(band);
    made[1]?.onerror?.({ message: 'out of memory', preventDefault: () => undefined });
    await expect(waiting).rejects.toThrow('out of memory');
    await expect(casters.cast(band)).rejects.toThrow('out of memory');
    expect([told, made.map(({ isOver }) => isOver)]).toEqual([['out of memory'], [true, true]]);
  });

  it('that do not answer are lost', async () => {
    vi.useFakeTimers();
    const made: FakeWorker[] = [];
    const told: string[] = [];
    const casters = new Casters(PLAN, 1, ({ message }) => told.push(message), make(made));
    const waiting = expect(casters.cast(band)).rejects.toThrow('does not answer');
    await vi.advanceTimersByTimeAsync(40_000);
    await waiting;
    expect(told.length).toBe(1);
    vi.useRealTimers();
  });

  it('are given back when a rendering is closed, and nothing is told', async () => {
    const made: FakeWorker[] = [];
    const told: string[] = [];
    const casters = new Casters(PLAN, 2, ({ message }) => told.push(message), make(made));
    const waiting = casters.cast(band);
    casters.close();
    await expect(waiting).rejects.toThrow();
    expect([told, made.every(({ isOver }) => isOver)]).toEqual([[], true]);
  });

  it('have as many copies as there is room for', () => {
    const mib = 1024 * 1024;
    expect([copiesOf(150 * mib, 8), copiesOf(70 * mib, 8), copiesOf(mib, 2), copiesOf(mib, 64)]).toEqual([1, 2, 2, 4]);
  });
});

describe('the address of a view', () => {
  it('says it whole', () => {
    const state = { preset: 'ct_bone', orbit: { right: [0, 1, 0], down: [0, 0, -1], zoom: 2.5, pan: { x: 0.25, y: -0.125 } }, shift: { shift: -40, stretch: 1.5 }, kept: [[0, 0.5], [0.25, 1], [0, 1]] } as const;
    const again = read(written(state));
    expect(written(again)).toBe(written(state));
    expect(again).toMatchObject({ preset: 'ct_bone', shift: state.shift, kept: state.kept });
  });
  it.each(['', 'mip', 'mip,1,2', `mip,${Array(17).fill('x').join(',')}`, `mip,${Array(17).fill('1e999').join(',')}`])('that says nothing (%s) is as at first', (text) => {
    expect(read(text)).toEqual({ ...AT_FIRST, preset: text.split(',')[0] });
  });
  it('that cannot be meant stays within what can', () => {
    const { orbit, shift, kept } = read(`mip,${[0, 0, 0, 0, 0, 0, 1e9, 1e9, -1e9, 1e30, 0, 5, 5, -3, -2, 1, 0].join(',')}`);
    expect(orbit.right).toEqual(FRONT.right);
    expect(orbit.zoom).toBe(40);
    expect(shift.stretch).toBeGreaterThan(UNMOVED.stretch / 100);
    for (const [low, high] of kept) expect(low >= 0 && high <= 1 && low < high).toBe(true);
    expect(ordered(0.7, 0.2)).toEqual([0.2, 0.7]);
  });
});

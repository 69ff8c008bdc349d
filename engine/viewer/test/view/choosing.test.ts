// What is decoded next, of series that are made up: what has come of each frame, and what there is of it.
import { describe, expect, it } from 'vitest';
import { nextOf, type Means, type Watch } from '../../src/view/load/choosing';
import { Images } from '../../src/view/load/images';
import type { FrameStack, StackFrame } from '../../src/view/load/stack';

const COUNT = 40;

/** A series of 512 × 512 with halvings to 1/32; `come`: halvings that have come of each position. */
class Made {
  readonly images = new Images();
  readonly failures = new Map<string, string>();
  readonly frames: StackFrame[];
  readonly streaming: { halvings: (position: number) => number };
  readonly come = new Array<number>(COUNT).fill(0);
  readonly decoding = new Map<string, number>();

  constructor() {
    const entry = { rows: 512, columns: 512, ends: [1, 2, 3, 4, 5, 6] };
    this.frames = Array.from({ length: COUNT }, (_, at) => ({ key: `${at}`, entry, header: { samplesPerPixel: 1 }, route: { kind: 'stream' } }) as unknown as StackFrame);
    this.streaming = {
      halvings: (position) => {
        const come = this.come[position];
        if (come === undefined) throw new Error(`the series has no frame ${position}`); // as the session's
        return come;
      },
    };
  }

  put(position: number, halvings: number): void {
    const side = 512 >> halvings;
    this.images.put(`${position}`, { kind: 'grey', width: side, height: side, halvings, values: new Uint16Array(side * side) });
  }

  /** A coarse picture of each. */
  coarse(): this {
    this.frames.forEach((_, position) => this.put(position, 2));
    return this;
  }

  watch(position: number, velocity: number, more: Partial<Watch> = {}): Watch {
    return { stack: this as unknown as FrameStack, position, enough: 0, velocity, direction: velocity < 0 ? -1 : 1, ...more };
  }
}

const means = (made: Made, ms = 5): Means => ({
  workers: 1,
  ms: (pixels) => (ms * pixels) / (512 * 512),
  busy: (_, frame) => made.decoding.get(frame.key) ?? Infinity,
  roomBytes: 192 * 1024 * 1024,
});

/** What is decoded one after the other, as [position, halvings]. */
function order(made: Made, watch: Watch, count: number, ms = 5): number[][] {
  const found: number[][] = [];
  while (found.length < count) {
    const next = nextOf([watch], means(made, ms));
    if (next === undefined) break;
    found.push([next.position, next.halvings]);
    made.put(next.position, next.halvings);
  }
  return found;
}

describe('what is decoded next', () => {
  it('at rest: what is shown and the next beside it; a coarse picture of every other, the nearest first; then these', () => {
    const made = new Made();
    const found = order(made, made.watch(10, 0), COUNT + 3);
    expect(found.slice(0, 7)).toEqual([[10, 0], [11, 0], [9, 0], [12, 0], [8, 0], [13, 0], [7, 0]]);
    expect(found.slice(7, 10)).toEqual([[14, 2], [6, 2], [15, 2]]);
    expect(found.slice(7, COUNT).every(([, halvings]) => halvings === 2)).toBe(true);
    expect(found.slice(COUNT)).toEqual([[14, 0], [6, 0], [15, 0]]);
  });

  it('while the hand moves: every frame of its way once, as fine as needed, in its order', () => {
    const made = new Made().coarse();
    const found = order(made, made.watch(0, 60), 100);
    expect(found).toEqual(Array.from({ length: COUNT }, (_, at) => [at, 0]));
  });

  it('against the order as well', () => {
    const made = new Made().coarse();
    expect(order(made, made.watch(30, -60), 3)).toEqual([[30, 0], [29, 0], [28, 0]]);
  });

  it('a blank on the way goes before what is finer', () => {
    const made = new Made().coarse();
    made.images.clear();
    made.come.fill(1);
    const found = order(made, made.watch(0, 20), 20);
    expect(found.slice(0, 7)).toEqual([[0, 2], [1, 2], [2, 2], [3, 2], [4, 2], [5, 2], [0, 1]]);
  });

  it('what has all come and can all be decoded has no coarse picture first, but where the hand is at once', () => {
    const made = new Made();
    const found = order(made, made.watch(0, 60), 100);
    expect(found.slice(0, 6)).toEqual(Array.from({ length: 6 }, (_, at) => [at, 2])); // 100 ms
    expect(found.slice(6)).toEqual(Array.from({ length: COUNT }, (_, at) => [at, 0]));
  });

  it('nothing is asked of places beyond the ends', () => {
    const made = new Made();
    made.come.fill(-1, 3); // of some there is no picture
    expect(order(made, made.watch(2, -60), 100)).toEqual([[2, 2], [1, 2], [0, 2], [2, 0], [1, 0], [0, 0]]);
    const [found] = order(made, made.watch(COUNT - 1, 60), 1);
    expect(found).toBeUndefined();
  });

  it('what has not come in full has coarse pictures first, for as long as the hand takes 300 ms to', () => {
    const made = new Made();
    made.come.fill(2, 8);
    const found = order(made, made.watch(0, 60), 100);
    expect(found.slice(0, 16).map(([position]) => position)).toEqual([0, 1, 2, 3, 4, 5, ...Array.from({ length: 10 }, (_, at) => at + 8)]);
    expect(found.slice(16, 24)).toEqual([[0, 0], [1, 0], [2, 0], [3, 0], [4, 0], [5, 0], [6, 0], [7, 0]]);
    expect(found.slice(24).every(([position, halvings]) => (position ?? 0) >= 18 && halvings === 2)).toBe(true);
  });

  it('where all is too much: near the hand what all of it can be, further away as many as there is time for in full', () => {
    const made = new Made().coarse();
    const found = order(made, made.watch(0, 60), 100, 20); // 20 ms where 12 can be sustained
    const halves = found.filter(([, halvings]) => halvings === 1).map(([position]) => position);
    expect(halves).toEqual(Array.from({ length: 18 }, (_, at) => at)); // 300 ms
    expect(found[18]).toEqual([18, 0]);
    expect(found.slice(-18).map(([position]) => position)).toEqual(halves); // upgraded when nothing else is left
  });

  it('a slow decoder begins with where the hand is when it is ready', () => {
    const made = new Made().coarse();
    made.frames.forEach(({ entry }) => (entry.ends as number[]).splice(1)); // it cannot be smaller
    expect(order(made, made.watch(0, 50), 1, 99)[0]).toEqual([5, 0]);
  });

  it('what has not come as fine as wanted is decoded when the hand is about to be there, and not before', () => {
    const made = new Made().coarse();
    made.come.fill(1, 3);
    made.come[12] = 0;
    const found = order(made, made.watch(0, 60), 100);
    expect(found).toEqual([[0, 0], [1, 0], [2, 0], [3, 1], [4, 1], [5, 1], [12, 0]]);
  });

  it('nothing twice at a time, nothing that failed, nothing before it has come', () => {
    const made = new Made().coarse();
    made.decoding.set('0', 0);
    made.failures.set('1', 'broken');
    made.come[2] = -1;
    expect(order(made, made.watch(0, 60), 1)).toEqual([[3, 0]]);
    made.decoding.set('0', 2); // a coarse one is under way: the fine one may follow
    expect(order(made, made.watch(0, 60), 1)).toEqual([[0, 0]]);
  });

  it('a hand at rest goes before one that moves elsewhere, but for its blanks', () => {
    const [still, going] = [new Made().coarse(), new Made().coarse()];
    const both = () => nextOf([going.watch(0, 60), still.watch(7, 0)], means(going));
    expect([both()?.stack === (still as unknown as FrameStack), both()?.position]).toEqual([true, 7]);
    going.images.clear();
    expect([both()?.stack === (going as unknown as FrameStack), both()?.halvings]).toEqual([true, 2]);
  });

  it('no more ahead than there is room for', () => {
    const made = new Made().coarse();
    const tight: Means = { ...means(made), roomBytes: (10 * 512 * 512 * 2) / 0.85 + 1 };
    let count = 0;
    for (let next = nextOf([made.watch(0, 60)], tight); next !== undefined; next = nextOf([made.watch(0, 60)], tight)) {
      made.put(next.position, next.halvings);
      count++;
    }
    expect(count).toBe(10);
  });
});

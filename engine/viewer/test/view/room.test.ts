// What a viewer is made from ahead of time: which series is asked for when, once, and given back where nobody opens it.
/// <reference types="node" />
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { SeriesRef, ViewerServices } from '../../src/contract';
import { AIM_MS, GLANCE_MS, Room } from '../../src/view/room';

const done: string[] = [];
let asked: { study: string; signal: AbortSignal; answer: (series: string) => void; fail: () => void }[];
let session: { state: { kind: string }; closed: number };
let workers: number;

vi.mock('@voxcast/client', () => ({
  StreamSession: class {
    constructor() {
      return Object.assign(session, { close: () => session.closed++ });
    }
  },
}));
vi.mock('../../src/view/decode/pool', () => ({ DecodePool: class { get workers() { return workers; } } }));
vi.mock('../../src/view/load/loader', () => ({ FrameLoader: class { dispose() { done.push('loader'); } } }));
vi.mock('../../src/view/viewport/labels', () => ({ make: () => ({ remove: () => done.push('element') }) }));
vi.mock('../../src/view/first', () => ({
  firstSeries: (study: string, signal: AbortSignal) =>
    new Promise<SeriesRef>((resolve, reject) => {
      asked.push({ study, signal, answer: (series) => resolve({ study, series }), fail: () => reject(new Error('the line is cut')) });
    }),
}));
vi.mock('../../src/view/layout/reading', () => ({
  Reading: class {
    constructor() {
      if (workers < 0) throw new Error('nothing can be drawn');
    }
    expect({ series }: SeriesRef) { done.push(`open ${series}`); }
    unexpect({ series }: SeriesRef) { done.push(`close ${series}`); }
    close() { done.push('reading'); }
  },
}));

const services = (chosen: Record<string, unknown> = {}): ViewerServices =>
  ({ texts: { language: 'en', say: () => '' }, settings: { get: (name: string, otherwise: unknown) => chosen[name] ?? otherwise } }) as unknown as ViewerServices;
const settled = () => vi.advanceTimersByTimeAsync(0);

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('location', { href: 'https://host/', hash: '' });
  [asked, session, workers] = [[], { state: { kind: 'open' }, closed: 0 }, 1];
  done.length = 0;
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

it('what is aimed at is asked for once, opened, and is the viewer’s when it comes', async () => {
  const room = new Room(services());
  room.aim('1');
  room.aim('1');
  const first = room.first('1', new AbortController().signal);
  asked[0]?.answer('1.1');
  expect(await first).toEqual({ study: '1', series: '1.1' });
  await vi.advanceTimersByTimeAsync(2 * AIM_MS);
  expect([asked.length, done]).toEqual([1, ['open 1.1']]);
});

it('it is closed again where nobody opens it soon, and where another is aimed at', async () => {
  const room = new Room(services());
  room.aim('1');
  asked[0]?.answer('1.1');
  await settled();
  await vi.advanceTimersByTimeAsync(AIM_MS - 1);
  expect(done).toEqual(['open 1.1']);
  await vi.advanceTimersByTimeAsync(1);
  expect(done).toEqual(['open 1.1', 'close 1.1']);
  room.aim('2');
  room.aim('3');
  asked[1]?.answer('2.1');
  asked[2]?.answer('3.1');
  await settled();
  expect(asked.map(({ signal }) => signal.aborted)).toEqual([true, true, false]);
  expect(done.slice(2)).toEqual(['open 3.1']);
});

it('what was glanced at is not asked for again, is not opened, and counts for a while', async () => {
  const room = new Room(services());
  room.glance('1');
  room.glance('1');
  asked[0]?.answer('1.1');
  await settled();
  expect([asked.length, done]).toEqual([1, []]);
  room.aim('1');
  await settled();
  expect([asked.length, done]).toEqual([1, ['open 1.1']]);
  room.away();
  await vi.advanceTimersByTimeAsync(GLANCE_MS);
  const first = room.first('1', new AbortController().signal);
  expect(asked.length).toBe(2);
  asked[1]?.answer('1.2');
  expect(await first).toEqual({ study: '1', series: '1.2' });
});

it('a glance that fails, or goes to another, costs nothing but itself', async () => {
  const room = new Room(services());
  room.glance('1');
  const first = room.first('1', new AbortController().signal);
  asked[0]?.fail();
  await settled();
  asked[1]?.answer('1.1');
  expect(await first).toEqual({ study: '1', series: '1.1' });
  room.glance('2');
  room.glance('3');
  expect(asked.map(({ study, signal }) => [study, signal.aborted])).toEqual([['1', true], ['1', false], ['2', true], ['3', false]]);
});

it('another study than was aimed at is asked for itself, and why it cannot be opened is told', async () => {
  const room = new Room(services());
  room.aim('1');
  const other = room.first('2', new AbortController().signal);
  asked[1]?.fail();
  await expect(other).rejects.toThrow('the line is cut');
  room.away('1');
  expect(asked.map(({ study, signal }) => [study, signal.aborted])).toEqual([['1', false], ['2', false]]);
  room.away('2');
  expect(asked.map(({ study, signal }) => [study, signal.aborted])).toEqual([['1', true], ['2', false]]);
});

it('is as wanted only with a session, decoders, and what the reader chose', () => {
  const room = new Room(services());
  expect([room.isAsWanted(services()), room.isAsWanted(services({ overlay: 'few' }))]).toEqual([true, false]);
  workers = 0;
  expect(room.isAsWanted(services())).toBe(false);
  [workers, session.state.kind] = [1, 'over'];
  expect(room.isAsWanted(services())).toBe(false);
});

it('gives all back when it is closed, and when it cannot be made', async () => {
  const room = new Room(services());
  room.aim('1');
  asked[0]?.answer('1.1');
  await settled();
  room.close();
  expect([done, session.closed]).toEqual([['open 1.1', 'close 1.1', 'reading', 'loader', 'element'], 1]);
  workers = -1;
  expect(() => new Room(services())).toThrow('nothing can be drawn');
  expect([done.at(-1), session.closed]).toEqual(['loader', 2]);
});

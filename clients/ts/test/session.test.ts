// A session against a server whose every word is written here.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ClosedError, ProtocolError, StreamError, StreamSession, type SeriesEvent, type SeriesStream } from '../src/index.js';
import { Sockets, chunk, drop, numbered, record, run, tableOf } from './scripted.js';

let sockets: Sockets;
let session: StreamSession;

beforeEach(() => {
  sockets = new Sockets();
  session = new StreamSession({ url: 'ws://host/stream', memory: 1 << 22, webSocket: sockets.make });
});
afterEach(() => {
  session.close();
  vi.useRealTimers();
});

/** A series of three frames that come at a half and whole (4 and 10 bytes), its table taken. */
async function opened(more: Parameters<typeof tableOf>[2] = {}): Promise<{ series: SeriesStream; events: SeriesEvent[] }> {
  sockets.last.welcome();
  const series = session.open('1.2', '1.2.3');
  const events: SeriesEvent[] = [];
  series.on((event) => events.push(event));
  sockets.last.bytes(tableOf(series.number, [[4, 10], [4, 10], [4, 10]], more));
  await series.ready;
  await settled();
  return { series, events };
}

/** What was going on without waiting for anything outside is done: the message with the table is. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

describe('words', () => {
  it('says hello first, with its memory, and asks for the protocol', () => {
    const socket = sockets.last;
    expect([socket.protocol, socket.binaryType]).toEqual(['voxcast.stream.v1', 'arraybuffer']);
    session.open('1.2', '1.2.3');
    expect(socket.said).toEqual([]);
    socket.welcome();
    expect(socket.said).toEqual([
      { type: 'hello', memory: 1 << 22 },
      { type: 'open', series: 1, study: '1.2', seriesInstanceUID: '1.2.3' },
    ]);
  });

  it('looks before the welcome are said after it, the last one of each viewport', () => {
    const series = session.open('1.2', '1.2.3');
    const viewport = session.viewport();
    viewport.look(series, { position: 3 });
    viewport.look(series, { position: 4, width: 512, height: 512 });
    sockets.last.welcome();
    expect(sockets.last.words('look')).toEqual([
      { type: 'look', viewport: 1, series: 1, position: 4, width: 512, height: 512, velocity: 0 },
    ]);
    viewport.look(series, { position: 5, velocity: 60 });
    expect(sockets.last.words('look').at(-1)).toMatchObject({ position: 5, velocity: 60 });
    viewport.close();
    series.close();
    expect(sockets.last.words('close')).toEqual([{ type: 'close', viewport: 1 }, { type: 'close', series: 1 }]);
  });

  it('acknowledges the payload of chunks and runs after each message, and nothing else', async () => {
    const { series } = await opened();
    const { number } = series;
    expect(sockets.last.words('got')).toEqual([]);
    sockets.last.bytes(chunk(number, 0, 0, numbered(4)), chunk(number, 1, 0, numbered(3)));
    sockets.last.bytes(drop(number, 1, 0));
    sockets.last.bytes(run(number, 1, 2, numbered(8)));
    expect(sockets.last.words('got')).toEqual([
      { type: 'got', bytes: 7 },
      { type: 'got', bytes: 15 },
    ]);
  });

  it('acknowledges bytes of a series that was closed while they were on their way', async () => {
    const { series } = await opened();
    series.close();
    sockets.last.bytes(chunk(series.number, 0, 0, numbered(4)));
    expect(sockets.last.words('got')).toEqual([{ type: 'got', bytes: 4 }]);
  });
});

describe('frames', () => {
  it('refine level by level, and hold their bytes in order', async () => {
    const { series, events } = await opened();
    const whole = numbered(10);
    sockets.last.bytes(chunk(series.number, 1, 0, whole.subarray(0, 3)));
    expect(series.halvings(1)).toBe(-1);
    sockets.last.bytes(chunk(series.number, 1, 3, whole.subarray(3, 4)));
    sockets.last.bytes(chunk(series.number, 1, 4, whole.subarray(4, 9), 1));
    const early = series.bytes(1);
    sockets.last.bytes(chunk(series.number, 1, 9, whole.subarray(9), 1));
    expect(events.filter((event) => event.kind === 'frame')).toEqual([
      { kind: 'frame', position: 1, halvings: 1 },
      { kind: 'frame', position: 1, halvings: 0 },
    ]);
    expect([...series.bytes(1)]).toEqual([...whole]);
    expect([...early]).toEqual([...whole.subarray(0, 9)]);
    expect([series.byteCount, session.byteCount]).toEqual([10, 10]);
  });

  it('of a run are told apart by their ends, those of fewer levels too', async () => {
    sockets.last.welcome();
    const series = session.open('1.2', '1.2.3');
    sockets.last.bytes(tableOf(series.number, [[2, 4, 9], [5], [3, 8]]), run(series.number, 0, 3, numbered(10)));
    await series.ready;
    await vi.waitFor(() => expect(series.byteCount).toBe(10));
    expect([0, 1, 2].map((at) => series.halvings(at))).toEqual([2, 0, 1]);
    expect([...series.bytes(2)]).toEqual([7, 8, 9]);
  });

  it('dropped by the server show less, and are told of', async () => {
    const { series, events } = await opened();
    sockets.last.bytes(chunk(series.number, 2, 0, numbered(10), 1));
    sockets.last.bytes(drop(series.number, 2, 4), chunk(series.number, 0, 0, numbered(4)));
    expect(events.slice(1)).toEqual([
      { kind: 'frame', position: 2, halvings: 0 },
      { kind: 'dropped', position: 2, halvings: 1 },
      { kind: 'frame', position: 0, halvings: 1 },
    ]);
    expect(series.byteCount).toBe(8);
    sockets.last.bytes(drop(series.number, 2, 0));
    expect(series.halvings(2)).toBe(-1);
  });

  it('given up by the client: what was under way behind them is passed over, what comes again counts', async () => {
    const { series } = await opened();
    sockets.last.bytes(chunk(series.number, 0, 0, numbered(6), 1));
    series.forget([[0, 2]]);
    expect(sockets.last.words('forget')).toEqual([{ type: 'forget', series: series.number, frames: [[0, 2]] }]);
    sockets.last.bytes(chunk(series.number, 0, 6, numbered(4, 6), 1));
    expect(series.bytes(0).length).toBe(2);
    sockets.last.bytes(chunk(series.number, 0, 2, numbered(8, 2), 1));
    expect([...series.bytes(0)]).toEqual([...numbered(10)]);
    expect(session.state.kind).toBe('open');
  });

  it('come out of an iterator as they refine, the last step of each for who is slow', async () => {
    const { series } = await opened();
    const updates = series.updates();
    const first = updates.next();
    sockets.last.bytes(chunk(series.number, 1, 0, numbered(4)));
    expect((await first).value).toMatchObject({ position: 1, halvings: 1, isExact: false });
    sockets.last.bytes(chunk(series.number, 2, 0, numbered(4)));
    sockets.last.bytes(chunk(series.number, 2, 4, numbered(6, 4), 1));
    const second = await updates.next();
    expect(second.value).toMatchObject({ position: 2, halvings: 0, isExact: true });
    expect([...(second.value?.bytes ?? [])]).toEqual([...numbered(10)]);
    const last = updates.next();
    series.close();
    expect((await last).done).toBe(true);
  });

  it('an iterator ends with the error of a session that is over', async () => {
    const { series } = await opened();
    const next = series.updates().next();
    sockets.last.fire('close', { code: 1008, reason: 'a bad word' });
    await expect(next).rejects.toThrow('a bad word');
  });
});

describe('a lost connection', () => {
  it('is made again, and all is said again: what was open, held and looked at', async () => {
    vi.useFakeTimers();
    const states: string[] = [];
    session.on((state) => states.push(state.kind));
    const { series } = await opened();
    const viewport = session.viewport();
    viewport.look(series, { position: 1, velocity: 80 });
    sockets.last.bytes(chunk(series.number, 1, 0, numbered(7), 1));
    sockets.last.fire('close', { code: 1006 });
    expect(states.at(-1)).toBe('interrupted');
    viewport.look(series, { position: 2, velocity: 80 });
    await vi.advanceTimersByTimeAsync(0);
    sockets.last.welcome();
    expect(sockets.last.said).toEqual([
      { type: 'hello', memory: 1 << 22 },
      { type: 'open', series: 1, study: '1.2', seriesInstanceUID: '1.2.3', tag: 'tag', held: [[1, 7]] },
      { type: 'look', viewport: 1, series: 1, position: 2, velocity: 0 },
    ]);
    vi.useRealTimers();
    sockets.last.bytes(tableOf(series.number, [[4, 10], [4, 10], [4, 10]], { isHeld: true }));
    sockets.last.bytes(chunk(series.number, 1, 7, numbered(3, 7), 1));
    await vi.waitFor(() => expect(series.halvings(1)).toBe(0));
    expect([...series.bytes(1)]).toEqual([...numbered(10)]);
    expect(sockets.last.words('got')).toEqual([{ type: 'got', bytes: 3 }]);
    expect(states).toEqual(['open', 'interrupted', 'open']);
  });

  it('that leads to other frames begins anew', async () => {
    const { series, events } = await opened();
    sockets.last.bytes(chunk(series.number, 1, 0, numbered(7), 1));
    sockets.last.fire('close', { code: 1001 });
    await vi.waitFor(() => expect(sockets.made.length).toBe(2));
    sockets.last.welcome();
    sockets.last.bytes(tableOf(series.number, [[5, 12]], { tag: 'other' }));
    await vi.waitFor(() => expect(series.table?.tag).toBe('other'));
    expect(series.byteCount).toBe(0);
    expect(events.at(-1)).toMatchObject({ kind: 'table', isSame: false });
  });

  it('is tried at once, then after pauses that double, up to the most', async () => {
    vi.useFakeTimers();
    vi.spyOn(Math, 'random').mockReturnValue(1);
    const pauses: number[] = [];
    for (let tries = 0; tries < 9; tries++) {
      const before = Date.now();
      const count = sockets.made.length;
      sockets.last.fire('close', { code: 1006 });
      expect(session.state).toMatchObject({ kind: 'interrupted', tries: tries + 1 });
      while (sockets.made.length === count) await vi.advanceTimersByTimeAsync(1);
      pauses.push(Date.now() - before);
    }
    expect(pauses.slice(1)).toEqual([250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
    vi.restoreAllMocks();
  });

  it('is tried at once when the machine is on the network again', () => {
    vi.useFakeTimers();
    for (let tries = 0; tries < 2; tries++) {
      sockets.last.fire('close', { code: 1006 });
      session.hurry();
    }
    expect(sockets.made.length).toBe(3);
  });

  it('is noticed when nothing says so: no welcome, or no answer', async () => {
    vi.useFakeTimers();
    session.close();
    session = new StreamSession({ url: 'ws://host/stream', webSocket: sockets.make });
    const states: unknown[] = [];
    session.on((state) => states.push(state));
    await vi.advanceTimersByTimeAsync(10_000);
    expect(states).toEqual([{ kind: 'interrupted', reason: 'no welcome in time', tries: 1 }]);
    await vi.advanceTimersByTimeAsync(1);
    sockets.last.welcome();
    await vi.advanceTimersByTimeAsync(10_000);
    const [ping] = sockets.last.words('ping');
    expect(ping).toBeDefined();
    sockets.last.text({ type: 'pong', value: ping?.value });
    await vi.advanceTimersByTimeAsync(9_000);
    expect(session.state.kind).toBe('open');
    await vi.advanceTimersByTimeAsync(20_000);
    expect(session.state.kind).not.toBe('open');
    expect(sockets.made.length).toBeGreaterThan(2);
  });
});

describe('opening again', () => {
  it('says what is held and where it is looked at', async () => {
    const { series } = await opened({ isComplete: false });
    session.viewport().look(series, { position: 2 });
    sockets.last.bytes(chunk(series.number, 2, 0, numbered(4)));
    series.refresh();
    expect(sockets.last.said.slice(-2)).toEqual([
      { type: 'open', series: 1, study: '1.2', seriesInstanceUID: '1.2.3', tag: 'tag', held: [[2, 4]] },
      { type: 'look', viewport: 1, series: 1, position: 2, velocity: 0 },
    ]);
    // What was under way comes first, and then again.
    sockets.last.bytes(chunk(series.number, 2, 4, numbered(6, 4), 1));
    sockets.last.bytes(tableOf(series.number, [[4, 10], [4, 10], [4, 10]], { isHeld: true }));
    sockets.last.bytes(chunk(series.number, 2, 4, numbered(6, 4), 1));
    await vi.waitFor(() => expect(sockets.last.words('got').at(-1)).toEqual({ type: 'got', bytes: 16 }));
    expect([...series.bytes(2)]).toEqual([...numbered(10)]);
  });
});

it('a series that is being opened is opened again afterwards, once for all that asked', async () => {
  sockets.last.welcome();
  const series = session.open('1.2', '1.2.3');
  series.refresh();
  series.refresh();
  expect(sockets.last.words('open').length).toBe(1); // a second one now would end the session
  sockets.last.bytes(tableOf(series.number, [[4, 10]]));
  await vi.waitFor(() => expect(sockets.last.words('open').length).toBe(2));
  sockets.last.bytes(tableOf(series.number, [[4, 10]]));
  await settled();
  expect(sockets.last.words('open').length).toBe(2);
  // One that could not be opened is asked for again, too.
  const other = session.open('1.2', '9.9');
  other.ready.catch(() => undefined);
  other.refresh();
  sockets.last.text({ type: 'error', series: other.number, error: 'SeriesNotFound', detail: 'no such series' });
  await vi.waitFor(() => expect(sockets.last.words('open').length).toBe(4));
});

it('a series of which more is made says so', async () => {
  const { series, events } = await opened({ isComplete: false });
  sockets.last.text({ type: 'ready', series: series.number });
  expect(events.at(-1)).toEqual({ kind: 'ready' });
  sockets.last.text({ type: 'ready', series: 99 }); // closed meanwhile
  sockets.last.text({ type: 'news', of: 'later versions' });
  expect(session.state.kind).toBe('open');
});

describe('errors', () => {
  it('of a series that cannot be opened end its promise, not the session', async () => {
    sockets.last.welcome();
    const series = session.open('1.2', '9.9');
    sockets.last.text({ type: 'error', series: series.number, error: 'SeriesNotFound', detail: 'no such series' });
    const error = await series.ready.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(StreamError);
    expect(error).toMatchObject({ kind: 'SeriesNotFound', series: series.number, position: undefined });
    expect(session.state.kind).toBe('open');
  });

  it('of a frame name it', async () => {
    const { series, events } = await opened();
    sockets.last.text({ type: 'error', series: series.number, error: 'CorruptInstance', detail: 'torn', position: 2 });
    expect(events.at(-1)).toMatchObject({ kind: 'failed', error: { kind: 'CorruptInstance', position: 2 } });
  });

  it.each([
    ['a head that ends too early', () => record(1, { series: 1 }).subarray(0, 20)],
    ['a payload that ends too early', () => record(1, { series: 1 }, numbered(4)).subarray(0, 26)],
    ['a gap', () => chunk(1, 0, 3, numbered(2))],
    ['bytes behind the end', () => chunk(1, 0, 0, numbered(11))],
    ['a frame that there is not', () => chunk(1, 3, 0, numbered(2))],
    ['a run that is too short', () => run(1, 0, 3, numbered(11))],
    ['a run that is too long', () => run(1, 0, 3, numbered(13))],
    ['a table that is not packed', () => record(4, { series: 1 }, numbered(40))],
    ['held bytes of another tag', () => tableOf(1, [[4]], { tag: 'other', isHeld: true })],
  ])('of the protocol are the end of the session: %s', async (_, made) => {
    const { series } = await opened();
    sockets.last.bytes(made());
    await vi.waitFor(() => expect(session.state.kind).toBe('over'));
    expect(session.state).toMatchObject({ error: expect.any(ProtocolError) as unknown });
    expect(sockets.last.closed).toBeDefined();
    expect(sockets.made.length).toBe(1);
    expect(series.byteCount).toBe(0);
    await expect(session.open('1.2', '1.2.3').ready).rejects.toBeInstanceOf(ProtocolError);
  });

  it('a word that the server does not understand is not said a second time', () => {
    sockets.last.welcome();
    sockets.last.fire('close', { code: 1008, reason: 'memory: a whole number' });
    expect(session.state).toMatchObject({ kind: 'over', error: { message: 'memory: a whole number' } });
    expect(sockets.made.length).toBe(1);
  });

  it('an owner who closes ends what waits', async () => {
    const series = session.open('1.2', '1.2.3');
    session.close();
    await expect(series.ready).rejects.toBeInstanceOf(ClosedError);
    // Browsers complain of a socket that is closed before it is open, so it is closed then.
    expect(sockets.last.closed).toBeUndefined();
    sockets.last.fire('open');
    expect(sockets.last.closed).toBeDefined();
    expect(sockets.last.said).toEqual([]);
  });
});

describe('approximate beginnings', () => {
  it('are asked for by name, and the exact bytes take their place as soon as they are here', async () => {
    sockets.last.welcome();
    const series = session.open('1.2', '1.2.3', { approximate: true });
    expect(sockets.last.words('open')).toEqual([{ type: 'open', series: 1, study: '1.2', seriesInstanceUID: '1.2.3', approximate: true }]);
    // An eighth and a quarter in 5 bytes of their own; a half and the whole in 12 of the frame's.
    sockets.last.bytes(tableOf(series.number, [[3, 5, 9, 17], [4, 8, 12, 20]], { small: [5, 0] }));
    await series.ready;
    await settled();
    sockets.last.bytes(chunk(series.number, 0, 0, numbered(3)));
    await settled();
    expect(series.part(0, 3)).toMatchObject({ start: 0, end: 3, reduce: 1, isApproximate: true });
    expect(series.part(0, 2)).toBeUndefined();
    sockets.last.bytes(chunk(series.number, 0, 3, numbered(5).subarray(3)));
    await settled();
    expect(series.part(0, 2)).toMatchObject({ start: 0, end: 5, reduce: 0, isApproximate: true });
    sockets.last.bytes(chunk(series.number, 0, 5, numbered(9).subarray(5)));
    await settled();
    expect(series.part(0, 1)).toMatchObject({ start: 5, end: 9, reduce: 1, isApproximate: false });
    expect(series.part(0, 2)).toMatchObject({ start: 5, end: 9, reduce: 2, isApproximate: false });
    expect([...(series.part(0, 3)?.bytes ?? [])]).toEqual([...numbered(9).subarray(5)]);
    sockets.last.bytes(chunk(series.number, 1, 0, numbered(20)));
    await settled();
    expect(series.part(1, 3)).toMatchObject({ start: 0, end: 4, reduce: 3, isApproximate: false });
    expect(series.part(1, 0)).toMatchObject({ start: 0, end: 20, reduce: 0, isApproximate: false });
  });

  it('that are none of the resolutions are refused', async () => {
    sockets.last.welcome();
    const series = session.open('1.2', '1.2.3', { approximate: true });
    sockets.last.bytes(tableOf(series.number, [[3, 5, 9]], { small: [4] }));
    await expect(series.ready).rejects.toBeInstanceOf(ProtocolError);
  });
});

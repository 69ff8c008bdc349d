// A session whose WebSocket is in another thread: what comes is acknowledged there, however long the page takes.
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { RemoteSocket, StreamSession, hostSocket, type Port, type SessionState, type SocketThread } from '../src/index.js';
import { Sockets, chunk, drop, numbered, record, run, tableOf } from './scripted.js';

const STEP = 512 * 1024; // payload of a message here
const AHEAD = 2 * 1024 * 1024;

/** Two ends of a channel; the page's is heard only when the test lets it be. */
class Thread implements SocketThread {
  isTerminated = false;
  posted: unknown[] = []; // to the page, not yet heard
  private readonly page = new Map<string, (event: { data?: unknown; message?: string }) => void>();
  private inside: (event: { data: unknown }) => void = () => undefined;
  readonly port: Port = {
    postMessage: (post, transfer) => {
      this.posted.push(structuredClone(post, { transfer: transfer as ArrayBuffer[] }));
    },
    addEventListener: (_, listener) => (this.inside = listener),
  };

  postMessage(post: unknown): void {
    this.inside({ data: structuredClone(post) });
  }

  addEventListener(type: string, listener: (event: { data?: unknown; message?: string }) => void): void {
    this.page.set(type, listener);
  }

  terminate(): void {
    this.isTerminated = true;
  }

  /** The page has its turn. */
  turn(count = this.posted.length): void {
    for (const data of this.posted.splice(0, count)) this.page.get('message')?.({ data });
  }

  fail(message: string): void {
    this.page.get('error')?.({ message });
  }
}

let sockets: Sockets;
let thread: Thread;
let session: StreamSession;

beforeEach(() => {
  sockets = new Sockets();
  thread = new Thread();
  hostSocket(thread.port, sockets.make);
  session = new StreamSession({ url: 'ws://host/stream', webSocket: (url, protocol) => new RemoteSocket(url, protocol, thread) });
});

const got = () => sockets.last.words('got').map(({ bytes }) => bytes);

/** A series of one frame of 16 MiB, its table taken; `turn` of the page is up to the test from then on. */
async function opened() {
  const socket = sockets.last;
  socket.welcome();
  thread.turn();
  const series = session.open('1.2', '1.2.3');
  socket.bytes(tableOf(series.number, [[16 * 1024 * 1024]]));
  thread.turn();
  await series.ready;
  await new Promise((done) => setTimeout(done, 0));
  return series;
}

describe('a socket in another thread', () => {
  it('says the words of the page, and the page hears what comes', async () => {
    expect([sockets.last.url, sockets.last.protocol, sockets.last.binaryType]).toEqual(['ws://host/stream', 'voxcast.stream.v1', 'arraybuffer']);
    const series = await opened();
    expect(sockets.last.said.map(({ type }) => type)).toEqual(['hello', 'open']);
    sockets.last.bytes(chunk(series.number, 0, 0, numbered(1000)));
    thread.turn();
    expect(series.bytes(0)).toEqual(numbered(1000));
  });

  it('acknowledges what is counted while the page stands still, and once', async () => {
    const { number } = await opened();
    sockets.last.bytes(chunk(number, 0, 0, numbered(1000)), drop(number, 0, 0));
    sockets.last.bytes(run(number, 0, 1, numbered(500)), record(5, { series: number }, numbered(20)));
    sockets.last.bytes(drop(number, 0, 0));
    expect(got()).toEqual([1000, 1520]);
    sockets.last.text({ type: 'pong', value: 1 });
    expect(got()).toEqual([1000, 1520]);
  });

  it('stops where the page is far behind, and goes on when it has taken some', async () => {
    const { number } = await opened();
    for (let at = 0; at < 8; at++) sockets.last.bytes(chunk(number, 0, at * STEP, new Uint8Array(STEP)));
    expect(got().at(-1)).toBe(AHEAD);
    thread.turn(1);
    expect(got().at(-1)).toBe(AHEAD); // four more than may be ahead, three after this one
    thread.turn(3);
    expect(got().at(-1)).toBe(8 * STEP);
    thread.turn();
    for (let at = 8; at < 32; at++) {
      sockets.last.bytes(chunk(number, 0, at * STEP, new Uint8Array(STEP)));
      thread.turn();
    }
    expect(got().at(-1)).toBe(32 * STEP);
    expect(session.byteCount).toBe(32 * STEP);
  });

  it('leaves a message that ends too early to the page, which ends the session', async () => {
    const { number } = await opened();
    sockets.last.bytes(chunk(number, 0, 0, numbered(10)).subarray(0, 30));
    expect(got()).toEqual([]);
    thread.turn();
    expect(session.state).toMatchObject({ kind: 'over' });
    expect(sockets.last.closed).toEqual({ code: 1000 });
  });

  it('ends its thread with the connection', async () => {
    await opened();
    session.close();
    expect(sockets.last.closed).toEqual({ code: 1000 });
    expect(thread.isTerminated).toBe(false); // the server is to hear of it
    sockets.last.fire('close', { code: 1000 });
    thread.turn();
    expect(thread.isTerminated).toBe(true);
  });

  it('tells why a connection closed', async () => {
    await opened();
    sockets.last.fire('close', { code: 1006, reason: '' });
    thread.turn();
    expect(session.state).toMatchObject({ kind: 'interrupted', reason: 'the connection closed (1006)' });
    expect(thread.isTerminated).toBe(true);
    session.close();
  });

  it('is interrupted where the thread fails, and says so to who made it', () => {
    vi.useFakeTimers();
    const failed = vi.fn();
    const states: SessionState[] = [];
    let made = 0;
    const one = new StreamSession({
      url: 'ws://host/stream',
      webSocket: (url, protocol) => (made++ === 0 ? new RemoteSocket(url, protocol, thread, failed) : sockets.make(url, protocol)),
    });
    one.on((state) => states.push(state));
    thread.fail('no script');
    expect(failed).toHaveBeenCalledWith('no script');
    expect(states.at(-1)).toMatchObject({ kind: 'interrupted', reason: 'no script' });
    vi.advanceTimersByTime(0);
    sockets.last.welcome();
    expect(one.state).toEqual({ kind: 'open' });
    one.close();
    vi.useRealTimers();
  });
});

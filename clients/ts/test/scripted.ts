// A server whose every word a test writes, over a WebSocket that is none; records are put together from docs/stream.md alone.
import { deflateSync } from 'node:zlib';
import type { SocketEvent, WebSocketLike } from '../src/index.js';

export class ScriptedSocket implements WebSocketLike {
  binaryType = '';
  readonly said: Record<string, unknown>[] = [];
  closed: { code?: number | undefined } | undefined;
  private readonly listeners = new Map<string, (event: SocketEvent) => void>();

  constructor(readonly url: string, readonly protocol: string) {}

  addEventListener(type: string, listener: (event: SocketEvent) => void): void {
    this.listeners.set(type, listener);
  }

  send(text: string): void {
    this.said.push(JSON.parse(text) as Record<string, unknown>);
  }

  close(code?: number): void {
    this.closed = { code };
  }

  fire(type: string, event: SocketEvent = {}): void {
    this.listeners.get(type)?.(event);
  }

  text(word: object): void {
    this.fire('message', { data: JSON.stringify(word) });
  }

  bytes(...parts: Uint8Array[]): void {
    this.fire('message', { data: Uint8Array.from(Buffer.concat(parts)).buffer });
  }

  /** The connection stands and the server says welcome. */
  welcome(): void {
    this.fire('open');
    this.text({ type: 'welcome', protocol: 'voxcast.stream.v1', inFlight: 1 << 23 });
  }

  /** What was said of one type, in order. */
  words(type: string): Record<string, unknown>[] {
    return this.said.filter((word) => word.type === type);
  }
}

/** Sockets in the order in which a session made them. */
export class Sockets {
  readonly made: ScriptedSocket[] = [];

  readonly make = (url: string, protocol: string): ScriptedSocket => {
    const socket = new ScriptedSocket(url, protocol);
    this.made.push(socket);
    return socket;
  };

  get last(): ScriptedSocket {
    const socket = this.made.at(-1);
    if (socket === undefined) throw new Error('no socket was made');
    return socket;
  }
}

export interface Head {
  level?: number;
  flags?: number;
  series: number;
  position?: number;
  detail?: number;
}

export function record(kind: number, head: Head, payload: Uint8Array = new Uint8Array()): Uint8Array {
  const bytes = new Uint8Array(24 + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, kind);
  view.setUint8(1, head.level ?? 0);
  view.setUint16(2, head.flags ?? 0, true);
  view.setUint32(4, head.series, true);
  view.setUint32(12, head.position ?? 0, true);
  view.setUint32(16, head.detail ?? 0, true);
  view.setUint32(20, payload.length, true);
  bytes.set(payload, 24);
  return bytes;
}

export const chunk = (series: number, position: number, first: number, payload: Uint8Array, level = 0) =>
  record(1, { series, position, detail: first, level }, payload);
export const run = (series: number, position: number, count: number, payload: Uint8Array, level = 0) =>
  record(2, { series, position, detail: count, level }, payload);
export const drop = (series: number, position: number, keep: number) => record(3, { series, position, detail: keep });

export function tableOf(series: number, ends: number[][], more: { tag?: string; isHeld?: boolean; isComplete?: boolean; small?: number[] } = {}) {
  const told = {
    tag: more.tag ?? 'tag',
    isComplete: more.isComplete ?? true,
    levels: Math.max(...ends.map((one) => one.length)),
    instances: ends.map((_, index) => `1.2.${index}`),
    ...(more.small === undefined ? {} : { small: more.small }),
    texts: ['1.2.840.10008.1.2.4.202', 'MONOCHROME2'],
    frames: ends.map((one, index) => [index, 1, 8, 8, 0, 1, 12, ...one]),
  };
  return record(4, { series, detail: more.isHeld === true ? 1 : 0 }, deflateSync(JSON.stringify(told)));
}

export const numbered = (count: number, from = 0) => Uint8Array.from({ length: count }, (_, index) => (from + index) % 251);

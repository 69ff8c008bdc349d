// A WebSocket that a worker has: as the browser's own, but that what comes is acknowledged while the page is busy.
import type { SocketEvent, WebSocketLike } from './line.js';
import { TOLD_BYTES, type ToPage, type ToThread } from './posts.js';

/** A worker that calls `hostSocket`, or the like of it. */
export interface SocketThread {
  postMessage(post: unknown, transfer: Transferable[]): void;
  terminate(): void;
  addEventListener(type: 'message' | 'error', listener: (event: { data?: unknown; message?: string; preventDefault?(): void }) => void): void;
}

export class RemoteSocket implements WebSocketLike {
  binaryType = 'arraybuffer'; // always
  private readonly listeners = new Map<string, ((event: SocketEvent) => void)[]>();
  private told = 0;
  private isOver = false;

  /** @param failed the thread itself failed, as where its script cannot be loaded; the socket closes then, too */
  constructor(
    url: string,
    protocol: string,
    private readonly thread: SocketThread,
    failed: (why: string) => void = () => undefined,
  ) {
    thread.addEventListener('message', ({ data }) => this.heard(data as ToPage));
    thread.addEventListener('error', (event) => {
      event.preventDefault?.(); // it is told as the end of the connection
      if (this.isOver) return;
      const why = event.message || 'the thread of the connection could not be loaded';
      failed(why);
      this.end({ reason: why });
    });
    this.say({ kind: 'connect', url, protocol });
  }

  send(text: string): void {
    this.say({ kind: 'send', text });
  }

  /** The page has taken so many payload bytes in all: the thread acknowledges by itself, and stops where the page is far behind. */
  took(bytes: number): void {
    if (bytes - this.told < TOLD_BYTES) return;
    this.told = bytes;
    this.say({ kind: 'took', bytes });
  }

  close(code?: number, reason?: string): void {
    this.say({ kind: 'close', code, reason });
  }

  addEventListener(type: string, listener: (event: SocketEvent) => void): void {
    this.listeners.set(type, [...(this.listeners.get(type) ?? []), listener]);
  }

  private say(post: ToThread): void {
    if (!this.isOver) this.thread.postMessage(post, []);
  }

  private heard(post: ToPage): void {
    if (this.isOver) return;
    if (post.kind === 'open') this.fire('open', {});
    else if (post.kind === 'message') this.fire('message', { data: post.data });
    else this.end(post.event);
  }

  private end(event: SocketEvent): void {
    this.isOver = true;
    this.thread.terminate();
    this.fire('close', event);
  }

  private fire(type: string, event: SocketEvent): void {
    for (const listener of this.listeners.get(type) ?? []) listener(event);
  }
}

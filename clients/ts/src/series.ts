// One series of a session: what it is made of, what is held of it, and how it becomes finer.
import { ClosedError, ProtocolError, StreamError } from './errors.js';
import { Holding } from './holding.js';
import { Kind, type StreamRecord } from './records.js';
import type { Part, SeriesTable } from './table.js';
import type { Said } from './words.js';

/** Something about a series has changed. */
export type SeriesEvent =
  /** What it is made of is known. `isSame`: the bytes held before still count; otherwise none are held. */
  | { kind: 'table'; table: SeriesTable; isSame: boolean }
  /** A frame can be decoded at 1/2^halvings of its sides; 0: it is whole. */
  | { kind: 'frame'; position: number; halvings: number }
  /** The server had bytes of a frame dropped, to stay within the memory; -1: nothing can be shown of it. */
  | { kind: 'dropped'; position: number; halvings: number }
  /** More is made of it than when it was opened: `refresh` gets the finer steps, and what is held stays. */
  | { kind: 'ready' }
  /** That frame cannot be read and will not come; or, without a position, the series cannot be opened any more. */
  | { kind: 'failed'; error: StreamError };

export interface FrameUpdate {
  position: number;
  /** Of the frame, what is to be decoded to show it at 1/2^halvings of its sides. */
  bytes: Uint8Array<ArrayBuffer>;
  halvings: number;
  /** How often the decoder is to halve the sides of what `bytes` say of themselves. */
  reduce: number;
  /** Only of a series that was opened so (`Part.isApproximate`). */
  isApproximate: boolean;
  isExact: boolean;
}

/** How a series is opened. */
export interface OpenOptions {
  /**
   * Frames of which the exact beginning has many bytes may begin with an approximate one: coarse pictures of fast hands come in a
   * quarter of the bytes. Who sets it decodes what `SeriesStream.part` says, and not the first bytes of a frame.
   */
  readonly approximate?: boolean;
}

/** What a series asks of its session. */
export interface SeriesOwner {
  say(word: Said): void;
  reopen(series: SeriesStream): void;
  left(series: SeriesStream): void;
}

/** Made by `StreamSession.open`. */
export class SeriesStream {
  private readonly listeners = new Set<(event: SeriesEvent) => void>();
  private readonly closing = new Set<() => void>();
  private holding: Holding | undefined;
  private isClosed = false;
  private isOpening = false;
  private isStale = false; // asked for again while it was being opened
  private resolve!: (table: SeriesTable) => void;
  private reject!: (error: Error) => void;
  private ended: Error | undefined;

  /** The first table; rejects with a `StreamError` when the series cannot be opened, a `ClosedError` when it was closed before. */
  readonly ready = new Promise<SeriesTable>((resolve, reject) => {
    this.resolve = resolve;
    this.reject = reject;
  });

  /** @param owner says words to the server, if there is a line, and opens the series once more */
  constructor(
    readonly number: number,
    readonly studyInstanceUid: string,
    readonly seriesInstanceUid: string,
    private readonly owner: SeriesOwner,
    private readonly options: OpenOptions = {},
  ) {
    this.ready.catch(() => undefined); // who does not wait for it hears of it as an event
  }

  get table(): SeriesTable | undefined {
    return this.holding?.table;
  }

  /** Bytes held of all frames. */
  get byteCount(): number {
    return this.holding?.byteCount ?? 0;
  }

  /** What is held of a frame, whole levels or not; a view that stays as it is. */
  bytes(position: number): Uint8Array<ArrayBuffer> {
    return this.holding?.bytes(position) ?? new Uint8Array();
  }

  /** How often the sides are halved in what is held of a frame: 0 for all of it, -1 when it shows nothing yet. */
  halvings(position: number): number {
    return this.holding === undefined ? -1 : this.holding.table.halvings(position, this.holding.count(position));
  }

  /** The bytes that show a frame at 1/2^halvings of its sides, a view; undefined when they are not all here. */
  part(position: number, halvings: number): (Part & { readonly bytes: Uint8Array<ArrayBuffer> }) | undefined {
    if (this.holding === undefined) return undefined;
    const held = this.holding.count(position);
    const part = this.holding.table.part(position, halvings, held);
    if (held < part.end) return undefined;
    return { ...part, bytes: this.holding.bytes(position).subarray(part.start, part.end) };
  }

  /** Hear of changes; gives the function that ends it. */
  on(listener: (event: SeriesEvent) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /**
   * Frames as they refine, until the series is closed. Who is slow misses steps between, never the last one: no more waits than
   * one update for each frame.
   */
  async *updates(): AsyncGenerator<FrameUpdate, void, undefined> {
    const fresh = new Map<number, number>();
    let wake: () => void = () => undefined;
    const off = this.on((event) => {
      if (event.kind === 'frame') fresh.set(event.position, event.halvings);
      else if (event.kind === 'dropped') fresh.delete(event.position);
      else if (event.kind === 'table' && !event.isSame) fresh.clear();
      wake();
    });
    const closed = () => wake();
    this.closing.add(closed);
    try {
      while (!this.isClosed) {
        for (const [position, halvings] of fresh) {
          fresh.delete(position);
          const found = this.part(position, halvings);
          if (found === undefined) continue; // given up meanwhile
          const { bytes, reduce, isApproximate } = found;
          yield { position, bytes, halvings, reduce, isApproximate, isExact: halvings === 0 };
        }
        if (fresh.size > 0 || this.isClosed) continue;
        await new Promise<void>((resolve) => (wake = resolve));
      }
      if (this.ended !== undefined) throw this.ended;
    } finally {
      off();
      this.closing.delete(closed);
    }
  }

  /** Give up bytes of frames: [position, bytes to keep]. They come again when a viewport wants them. */
  forget(frames: readonly (readonly [number, number])[]): void {
    const { holding } = this;
    if (holding === undefined || this.isClosed) return;
    for (const [position, keep] of frames) holding.forget(position, keep);
    this.owner.say({ type: 'forget', series: this.number, frames: frames.map(([position, keep]) => [position, keep]) });
  }

  /** Open it again: more is made of it (the event `ready`), or it may have grown. */
  refresh(): void {
    if (this.isClosed) return;
    // A series that is being opened is not opened again (docs/stream.md): afterwards, once for all that asked.
    if (this.isOpening) this.isStale = true;
    else this.owner.reopen(this);
  }

  /** No more of it; its bytes are forgotten. */
  close(): void {
    if (this.isClosed) return;
    this.owner.say({ type: 'close', series: this.number });
    this.end(new ClosedError('the series was closed'), false);
    this.owner.left(this);
  }

  // what the session calls

  /** The word that opens it, with what is held already. */
  word(): Said {
    this.isOpening = true;
    this.isStale = false;
    const open = {
      type: 'open',
      series: this.number,
      study: this.studyInstanceUid,
      seriesInstanceUID: this.seriesInstanceUid,
      ...(this.options.approximate === true ? { approximate: true } : {}),
    } as const;
    if (this.holding === undefined) return open;
    return { ...open, tag: this.holding.table.tag, held: this.holding.said() };
  }

  /** A new connection, on which nothing is under way. */
  renewed(): void {
    this.holding?.renewed();
  }

  opened(table: SeriesTable, isHeldCounted: boolean): void {
    const isSame = isHeldCounted && this.holding?.table.tag === table.tag;
    if (isHeldCounted && !isSame) throw new ProtocolError('bytes of another tag are said to count');
    if (!isSame) this.holding = new Holding(table);
    this.resolve(table);
    this.emit({ kind: 'table', table, isSame });
    this.answered();
  }

  took(record: StreamRecord): void {
    const { holding } = this;
    if (holding === undefined) throw new ProtocolError(`bytes of series ${this.number} before its table`);
    const { table } = holding;
    switch (record.kind) {
      case Kind.CHUNK:
        this.grow(holding, record.position, record.detail, record.payload, table.end(record.position, record.level));
        break;
      case Kind.RUN: {
        let begin = 0;
        for (let position = record.position; position < record.position + record.detail; position++) {
          const end = table.end(position, record.level);
          if (begin + end > record.payload.length) throw new ProtocolError('a run that is shorter than its frames');
          this.grow(holding, position, 0, record.payload.subarray(begin, begin + end), end);
          begin += end;
        }
        if (begin !== record.payload.length) throw new ProtocolError('a run that is longer than its frames');
        break;
      }
      case Kind.DROP: {
        table.entry(record.position);
        holding.drop(record.position, record.detail);
        this.emit({ kind: 'dropped', position: record.position, halvings: this.halvings(record.position) });
        break;
      }
      default: // a kind that this client does not know
    }
  }

  hasMore(): void {
    this.emit({ kind: 'ready' });
  }

  failed(error: StreamError): void {
    if (error.position === undefined && this.holding === undefined) this.reject(error);
    this.emit({ kind: 'failed', error });
    if (error.position === undefined) this.answered();
  }

  /** The session is over: nothing comes any more. */
  end(reason: Error, isFailure: boolean): void {
    if (this.isClosed) return;
    this.isClosed = true;
    if (isFailure) this.ended = reason;
    this.reject(reason);
    for (const wake of this.closing) wake();
    this.closing.clear();
    this.listeners.clear();
    this.holding = undefined;
  }

  /** The server has said what came of opening it. */
  private answered(): void {
    this.isOpening = false;
    if (this.isStale) this.refresh();
  }

  private grow(holding: Holding, position: number, first: number, payload: Uint8Array, until: number): void {
    const before = this.halvings(position);
    if (!holding.append(position, first, payload, until)) return;
    const now = this.halvings(position);
    if (now !== before) this.emit({ kind: 'frame', position, halvings: now });
  }

  private emit(event: SeriesEvent): void {
    for (const listener of [...this.listeners]) {
      try {
        listener(event);
      } catch (error) {
        // A listener's mistake is its own: it must not cost the session, nor be hidden.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}

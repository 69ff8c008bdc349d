// A session of voxcast.stream.v1 that outlives its connections: what was open, looked at and held is said again on the next one.
import { ClosedError, ProtocolError, StreamError } from './errors.js';
import { Line, type LineOwner, type SocketMaker, type WebSocketLike } from './line.js';
import type { StreamRecord } from './records.js';
import { SeriesStream, type OpenOptions } from './series.js';
import type { SeriesTable } from './table.js';
import type { Demand, Heard, Said } from './words.js';

export interface SessionOptions {
  /** Such as `wss://host/stream`. */
  url: string;
  /** Bytes that there is room for (1 MiB at least); the server has far frames dropped for near ones. Undefined: all is kept. */
  memory?: number;
  /** What makes a WebSocket, where it is not a global (Node.js before 22: the package `ws`). */
  webSocket?: SocketMaker;
  /** Milliseconds until the second try after a lost connection (the first is at once), and at most. */
  retry?: { firstMs: number; mostMs: number };
}

/** `connecting` until the first welcome; `interrupted` while a lost connection is tried again; `over` for good. */
export type SessionState =
  | { kind: 'connecting' }
  | { kind: 'open' }
  | { kind: 'interrupted'; reason: string; tries: number }
  | { kind: 'over'; error: Error };

const RETRY = { firstMs: 250, mostMs: 10_000 };

interface Look {
  series: SeriesStream;
  demand: Demand;
}

export class StreamSession {
  private readonly bySeries = new Map<number, SeriesStream>();
  private readonly looks = new Map<number, Look>();
  private readonly listeners = new Set<(state: SessionState) => void>();
  private line: Line | undefined;
  private isWelcome = false;
  private nextSeries = 1;
  private nextViewport = 1;
  private tries = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private now: SessionState = { kind: 'connecting' };

  constructor(private readonly options: SessionOptions) {
    this.connect();
  }

  get state(): SessionState {
    return this.now;
  }

  /** Hear of each new state; gives the function that ends it. */
  on(listener: (state: SessionState) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** A series, under a number of its own; may be opened twice. */
  open(studyInstanceUid: string, seriesInstanceUid: string, options: OpenOptions = {}): SeriesStream {
    const owner = {
      say: (word: Said) => this.say(word),
      reopen: (again: SeriesStream) => this.reopen(again),
      left: (gone: SeriesStream) => this.shut(gone),
    };
    const series = new SeriesStream(this.nextSeries++, studyInstanceUid, seriesInstanceUid, owner, options);
    if (this.now.kind === 'over') series.end(this.now.error, true);
    else {
      this.bySeries.set(series.number, series);
      this.say(series.word());
    }
    return series;
  }

  /** A place where frames are looked at. */
  viewport(): StreamViewport {
    const number = this.nextViewport++;
    return {
      look: (series, demand) => {
        if (this.bySeries.get(series.number) !== series) return; // closed meanwhile
        this.looks.set(number, { series, demand });
        this.say({ type: 'look', viewport: number, series: series.number, ...demand });
      },
      close: () => {
        if (this.looks.delete(number)) this.say({ type: 'close', viewport: number });
      },
    };
  }

  /** Bytes held of all series. */
  get byteCount(): number {
    let sum = 0;
    for (const series of this.bySeries.values()) sum += series.byteCount;
    return sum;
  }

  /** Try an interrupted connection at once: the machine says that it is on the network again. */
  hurry(): void {
    if (this.now.kind === 'interrupted' && this.timer !== undefined) this.connect();
  }

  /** The end; every series is closed. */
  close(): void {
    this.over(new ClosedError('the session was closed'), false);
  }

  private connect(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.isWelcome = false;
    const make = this.options.webSocket ?? ((url, protocol) => new WebSocket(url, protocol) as unknown as WebSocketLike);
    const owner: LineOwner = {
      welcomed: () => this.welcomed(),
      heard: (word) => this.heard(word),
      table: (number, table, isHeldCounted) => this.table(number, table, isHeldCounted),
      record: (record) => this.record(record),
      ended: (reason) => this.ended(reason),
    };
    this.line = new Line(make, this.options.url, this.options.memory, owner);
  }

  private say(word: Said): void {
    if (this.isWelcome) this.line?.say(word); // otherwise all is said again at the welcome
  }

  private welcomed(): void {
    this.isWelcome = true;
    this.tries = 0;
    for (const series of this.bySeries.values()) {
      series.renewed();
      this.reopen(series);
    }
    this.become({ kind: 'open' });
  }

  /** Open it, with what is held; the server knows nothing of where it was looked at before. */
  private reopen(series: SeriesStream): void {
    this.say(series.word());
    for (const [viewport, look] of this.looks) {
      // What moved when the line was lost rests by now, for all that the server can know.
      if (look.series === series) this.say({ type: 'look', viewport, series: series.number, ...look.demand, velocity: 0 });
    }
  }

  private heard(word: Heard): void {
    if (word.type === 'ready') this.bySeries.get(word.series)?.hasMore();
    if (word.type !== 'error') return;
    const error = new StreamError(word.error, word.detail, word.series, word.position);
    this.bySeries.get(word.series)?.failed(error);
  }

  private table(number: number, table: SeriesTable, isHeldCounted: boolean): void {
    this.bySeries.get(number)?.opened(table, isHeldCounted);
  }

  private record(record: StreamRecord): void {
    this.bySeries.get(record.series)?.took(record); // none: it was closed while they were on their way
  }

  private ended(reason: Error): void {
    this.line = undefined;
    this.isWelcome = false;
    if (reason instanceof ProtocolError) {
      this.over(reason, true);
      return;
    }
    const { firstMs, mostMs } = this.options.retry ?? RETRY;
    // Not all clients of a server that comes back in the same moment.
    const pause = this.tries === 0 ? 0 : Math.min(firstMs * 2 ** (this.tries - 1), mostMs) * (0.5 + Math.random() / 2);
    this.tries++;
    this.timer = setTimeout(() => this.connect(), pause);
    this.become({ kind: 'interrupted', reason: reason.message, tries: this.tries });
  }

  private shut(series: SeriesStream): void {
    this.bySeries.delete(series.number);
    for (const [viewport, look] of this.looks) if (look.series === series) this.looks.delete(viewport);
  }

  private over(error: Error, isFailure: boolean): void {
    if (this.now.kind === 'over') return;
    clearTimeout(this.timer);
    this.line?.close();
    this.line = undefined;
    this.isWelcome = false;
    for (const series of this.bySeries.values()) series.end(error, isFailure);
    this.bySeries.clear();
    this.looks.clear();
    this.become({ kind: 'over', error });
    this.listeners.clear();
  }

  private become(state: SessionState): void {
    this.now = state;
    for (const listener of [...this.listeners]) listener(state);
  }
}

export interface StreamViewport {
  /** Say what is shown now: at every move, and when the hand comes to rest. May follow `open` at once. */
  look(series: SeriesStream, demand: Demand): void;
  close(): void;
}

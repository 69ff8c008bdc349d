// One connection of a session: opens, says hello, hears messages in their order, acknowledges, notices when it is dead.
import { ProtocolError } from './errors.js';
import { inflated } from './inflate.js';
import { Kind, isCounted, records, type StreamRecord } from './records.js';
import { SeriesTable } from './table.js';
import { PROTOCOL, heard, type Heard, type Said } from './words.js';

/** The part of a WebSocket that is used; the browser's own, that of Node.js from version 22 on, and `ws` have it. */
export interface WebSocketLike {
  binaryType: string;
  send(text: string): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: 'open' | 'message' | 'close' | 'error', listener: (event: SocketEvent) => void): void;
  /** Only where the socket says `got` by itself: so many payload bytes of this connection were taken in all. */
  took?(bytes: number): void;
}

export interface SocketEvent {
  data?: unknown;
  code?: number;
  reason?: string;
}

export type SocketMaker = (url: string, protocol: string) => WebSocketLike;

/** What hears a line; called in the order of what came. */
export interface LineOwner {
  welcomed(): void;
  heard(word: Heard): void;
  table(series: number, table: SeriesTable, isHeldCounted: boolean): void;
  record(record: StreamRecord): void;
  /** Once, and last: why there is no line any more. A `ProtocolError` would be so again. */
  ended(reason: Error): void;
}

export const OPEN_DEADLINE_MS = 10_000;
export const QUIET_MS = 5_000; // nothing heard for so long: ask
export const ANSWER_DEADLINE_MS = 10_000;

const POLICY_VIOLATION = 1008;
const OUR_CLOSE = 1000;

export class Line {
  private readonly socket: WebSocketLike;
  private readonly waiting: (string | ArrayBuffer)[] = [];
  private isTaking = false;
  private isWelcome = false;
  private isOver = false;
  private isOpen = false;
  private leaving: ReturnType<typeof setTimeout> | undefined;
  private acknowledged = 0; // payload bytes on this line
  private hasHeard = false; // since the last look at the clock
  private askedAt: number | undefined;
  private readonly deadline: ReturnType<typeof setTimeout>;
  private readonly watch: ReturnType<typeof setInterval>;

  /** @param memory bytes that this client has room for; undefined for all */
  constructor(make: SocketMaker, url: string, memory: number | undefined, private readonly owner: LineOwner) {
    this.socket = make(url, PROTOCOL); // throws for what is no address
    this.deadline = setTimeout(() => this.end(new Error('no welcome in time')), OPEN_DEADLINE_MS);
    this.watch = setInterval(() => this.look(), QUIET_MS);
    this.socket.binaryType = 'arraybuffer';
    this.socket.addEventListener('open', () => {
      this.isOpen = true;
      if (this.isOver) this.leave();
      else this.say(memory === undefined ? { type: 'hello' } : { type: 'hello', memory });
    });
    this.socket.addEventListener('message', (event) => this.came(event.data));
    this.socket.addEventListener('error', () => undefined); // the close that follows says it
    this.socket.addEventListener('close', (event) => {
      clearTimeout(this.leaving);
      const why = event.reason || `the connection closed (${event.code ?? 'no code'})`;
      this.end(event.code === POLICY_VIOLATION ? new ProtocolError(why) : new Error(why));
    });
  }

  say(word: Said): void {
    if (!this.isOver) this.socket.send(JSON.stringify(word));
  }

  /** Our own end: the owner hears nothing more. */
  close(): void {
    if (this.isOver) return;
    this.stop();
    // Browsers complain of a socket that is closed before it is open: whoever opens and leaves at once has done nothing wrong.
    if (this.isOpen) this.leave();
    else this.leaving = setTimeout(() => this.leave(), OPEN_DEADLINE_MS);
  }

  private leave(): void {
    clearTimeout(this.leaving);
    this.socket.close(OUR_CLOSE);
  }

  private came(data: unknown): void {
    if (this.isOver) return;
    this.hasHeard = true;
    if (typeof data !== 'string' && !(data instanceof ArrayBuffer)) {
      this.end(new ProtocolError('a message that is neither text nor an ArrayBuffer'));
      return;
    }
    this.waiting.push(data); // bounded: the server sends no more than was acknowledged, and what it says in `welcome`
    if (!this.isTaking) void this.take();
  }

  /** Everything that waits, in order; only a table makes it wait in between. Does not reject. */
  private async take(): Promise<void> {
    this.isTaking = true;
    try {
      for (let next = this.waiting.shift(); next !== undefined && !this.isOver; next = this.waiting.shift()) {
        if (typeof next === 'string') this.text(next);
        else {
          const unpacking = this.message(next);
          if (unpacking !== undefined) await unpacking; // all else at once: a turn of the loop for each would be time lost
        }
      }
    } catch (error) {
      this.end(error instanceof Error ? error : new Error(String(error)));
    } finally {
      this.isTaking = false;
    }
  }

  private text(text: string): void {
    const word = heard(text);
    if (word === undefined) return;
    if (word.type === 'welcome') {
      clearTimeout(this.deadline);
      this.isWelcome = true;
      this.owner.welcomed();
    } else if (!this.isWelcome) throw new ProtocolError(`${word.type} before welcome`);
    else this.owner.heard(word);
  }

  private message(message: ArrayBuffer): Promise<void> | void {
    const all = records(message);
    let before = this.acknowledged;
    const done = () => {
      if (this.acknowledged > before) {
        if (this.socket.took !== undefined) this.socket.took(this.acknowledged);
        else this.say({ type: 'got', bytes: this.acknowledged });
      }
      before = this.acknowledged;
    };
    const step = (): Promise<void> | void => {
      for (let next = all.next(); !next.done; next = all.next()) {
        const record = next.value;
        if (record.kind === Kind.SERIES) {
          return inflated(record.payload).then((text) => {
            if (this.isOver) return;
            this.owner.table(record.series, SeriesTable.parse(text), record.detail === 1);
            return step();
          });
        }
        if (isCounted(record.kind)) this.acknowledged += record.payload.length;
        this.owner.record(record);
        if (this.isOver) return;
      }
      done();
    };
    return step();
  }

  /** Every few seconds. A tab in the background is called seldom, so an answer counts however late the look at it is. */
  private look(): void {
    if (this.hasHeard || !this.isWelcome) this.askedAt = undefined;
    else if (this.askedAt === undefined) {
      this.askedAt = Date.now();
      this.say({ type: 'ping', value: this.askedAt });
    } else if (Date.now() - this.askedAt >= ANSWER_DEADLINE_MS) this.end(new Error('the server does not answer'));
    this.hasHeard = false;
  }

  private end(reason: Error): void {
    if (this.isOver) return;
    this.stop();
    this.socket.close(OUR_CLOSE);
    this.owner.ended(reason);
  }

  private stop(): void {
    this.isOver = true;
    clearTimeout(this.deadline);
    clearInterval(this.watch);
    this.waiting.length = 0;
  }
}

// An import: files go to the server in small requests, one after the other. It can be paused, and goes on by itself after a
// broken line: an instance that comes twice is stored once, so what had no answer is simply sent again.

import { Failure } from "../api/failure.js";
import { isAbort, pause } from "../api/dicomweb.js";
import type { Entry, Found } from "./files.js";
import type { Key } from "../texts/index.js";
import type { Sender, Stored } from "./storing.js";

const REQUEST_BYTES = 8 << 20;
const REQUEST_FILES = 64;
const WAITS_S = [1, 2, 4, 8, 15, 30];
/** Of those that failed this many are named; all are counted. */
export const NAMED_MAX = 500;
const SETTLE_MS = 1000;

export type State = "idle" | "running" | "paused" | "interrupted" | "done";
export interface FailedFile {
  readonly path: string;
  /** In the server's words, or null when the server refused the request: then `failure` says it. */
  readonly why: string;
  readonly failure: Failure | null;
  /** Why it never got to the server; null when it did. */
  readonly said: Key | null;
}

export class Importer {
  state: State = "idle";
  found = 0;
  isFound = true;
  sent = 0;
  stored = 0;
  failed = 0;
  bytes = 0;
  readonly named: FailedFile[] = [];
  /** Why the line is interrupted, and when it is tried again. */
  trouble: Failure | null = null;
  private readonly waiting: (Iterator<Entry> | AsyncIterator<Entry>)[] = [];
  private readonly listeners = new Set<() => void>();
  private readonly storedListeners = new Set<() => void>();
  private controller = new AbortController();
  private held: Found | null = null;
  private settled = 0;
  private wake: () => void = () => undefined;

  constructor(private readonly send: Sender) {}

  watch(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Called when something was stored, at most once a second. */
  whenStored(listener: () => void): () => void {
    this.storedListeners.add(listener);
    return () => this.storedListeners.delete(listener);
  }

  add(files: Iterator<Entry> | AsyncIterator<Entry>): void {
    this.waiting.push(files);
    this.isFound = false;
    if (this.state === "idle" || this.state === "done") void this.run();
    else this.tell();
  }

  /** Stop after what is under way has been answered. */
  pause(): void {
    if (this.state === "running" || this.state === "interrupted") this.become("paused");
    this.wake();
  }

  resume(): void {
    if (this.state === "paused" || this.state === "interrupted") this.become("running");
    this.wake();
  }

  /** Give up what has not been sent. */
  cancel(): void {
    this.waiting.length = 0;
    this.held = null;
    this.controller.abort();
    this.controller = new AbortController();
    this.isFound = true;
    this.wake();
    this.become("done");
  }

  /** Forget a finished import. */
  clear(): void {
    if (this.state !== "done") return;
    this.found = this.sent = this.stored = this.failed = this.bytes = this.named.length = 0;
    this.trouble = null;
    this.become("idle");
  }

  private async run(): Promise<void> {
    this.become("running");
    const { signal } = this.controller;
    try {
      for (;;) {
        const some = await this.next();
        if (signal.aborted) return;
        if (!some.length) break;
        await this.bring(some, signal);
      }
      this.become("done");
    } catch (error) {
      if (isAbort(error) || signal.aborted) return;
      this.note("", 1, "", error instanceof Failure ? error : new Failure(-1, String(error)));
      this.waiting.length = 0;
      this.become("done");
    }
    for (const listener of this.storedListeners) listener();
  }

  /** Files for one request; empty when there are none left. */
  private async next(): Promise<Found[]> {
    const some: Found[] = [];
    let bytes = 0;
    for (;;) {
      const one = this.held ?? (await this.following());
      this.held = null;
      if (one === null) return some;
      if (some.length && (bytes + one.file.size > REQUEST_BYTES || some.length >= REQUEST_FILES)) {
        this.held = one;
        return some;
      }
      some.push(one);
      bytes += one.file.size;
    }
  }

  private async following(): Promise<Found | null> {
    for (;;) {
      const source = this.waiting[0];
      if (!source) {
        this.isFound = true;
        return null;
      }
      const { done, value } = await source.next();
      if (done) {
        if (this.waiting[0] === source) this.waiting.shift();
        continue;
      }
      if ("said" in value) {
        this.found += 1;
        this.sent += 1;
        this.note(value.path, 1, "", null, value.said);
        this.tell();
        continue;
      }
      if (isIndexOnly(value)) continue;
      this.found += 1;
      return value;
    }
  }

  /** Send files until it is known what became of each of them. */
  private async bring(files: Found[], signal: AbortSignal): Promise<void> {
    const answer = await this.insist(files, signal);
    if (answer instanceof Failure && files.length === 1) this.note(files[0]?.path ?? "", 1, "", answer);
    else if (answer instanceof Failure || (answer.failed > 0 && files.length > 1)) {
      // Which one it was is known when they come one by one; those that are stored already are stored once.
      for (const one of files) await this.bring([one], signal);
      return;
    } else if (answer.failed > 0 || answer.stored === 0) this.note(files[0]?.path ?? "", 1, answer.why, null);
    else this.stored += files.length;
    this.sent += files.length;
    this.bytes = 0;
    this.tell();
    const now = Date.now();
    if (now - this.settled < SETTLE_MS) return;
    this.settled = now;
    for (const listener of this.storedListeners) listener();
  }

  /** Send again and again while there is no line, or no room on the server; a `Failure` is one that waiting does not mend. */
  private async insist(files: Found[], signal: AbortSignal): Promise<Stored | Failure> {
    for (let attempt = 0; ; attempt += 1) {
      await this.unpaused();
      signal.throwIfAborted();
      try {
        const answer = await this.send(files, (bytes) => { this.bytes = bytes; this.tell(); }, signal);
        this.trouble = null;
        if (this.state === "interrupted") this.become("running");
        return answer;
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        if (![0, 429, 502, 503, 504, 507].includes(error.status)) return error;
        this.trouble = error;
        if (this.state === "running") this.become("interrupted");
        await this.wait(WAITS_S[Math.min(attempt, WAITS_S.length - 1)] ?? 30, signal);
      }
    }
  }

  private async unpaused(): Promise<void> {
    while (this.state === "paused") await new Promise<void>((resolve) => { this.wake = resolve; });
  }

  /** Some seconds, or less when the reader or the browser says that the line is back. */
  private async wait(seconds: number, signal: AbortSignal): Promise<void> {
    const early = new Promise<void>((resolve) => {
      this.wake = resolve;
      globalThis.addEventListener?.("online", () => resolve(), { once: true });
    });
    await Promise.race([early, pause(seconds * 1000, signal)]);
  }

  private note(path: string, count: number, why: string, failure: Failure | null, said: Key | null = null): void {
    this.failed += count;
    if (this.named.length < NAMED_MAX) this.named.push({ path, why, failure, said });
  }

  private become(state: State): void {
    this.state = state;
    this.tell();
  }

  private tell(): void {
    for (const listener of this.listeners) listener();
  }
}

/** What lies beside images and is none: the index of a file-set (PS3.10 8.6), and what file managers leave. */
function isIndexOnly({ file }: Found): boolean {
  return file.size === 0 || /^(DICOMDIR|\..*|Thumbs\.db|desktop\.ini)$/i.test(file.name);
}

// One series as frames in slice order: what the session sends of it, what the headers say, and what is decoded.
import type { FrameEntry, SeriesEvent, SeriesStream, SeriesTable, StreamSession, StreamViewport } from '@voxcast/client';
import type { Pixels } from '../image/pixels';
import { frameHeader, type FrameHeader } from '../dicom/frame';
import type { Frames, Looking } from './frames';
import { Images } from './images';
import type { FrameLoader } from './loader';
import { SeriesMetadata } from './metadata';
import { otherRoute, routeOf, type Route } from './route';

export interface StackFrame {
  /** The same for the same frame, whatever it is streamed as. */
  readonly key: string;
  readonly entry: FrameEntry;
  readonly header: FrameHeader;
  readonly route: Route;
}

/** Its header is read when it is first asked for: the first image of a series does not wait for the headers of all. */
class StreamedFrame implements StackFrame {
  readonly key: string;
  private read: FrameHeader | undefined;
  private way: Route | undefined;

  constructor(
    readonly entry: FrameEntry,
    private readonly metadata: SeriesMetadata,
    private readonly rerouted: ReadonlySet<string>,
  ) {
    this.key = `${entry.sopInstanceUid} ${entry.frameNumber}`;
  }

  get header(): FrameHeader {
    const { sopInstanceUid, frameNumber } = this.entry;
    // Without a header nothing says who it is, nor what its values mean: the server draws it, and its name is missing.
    return (this.read ??= this.metadata.frame(sopInstanceUid, frameNumber) ?? frameHeader({}, frameNumber));
  }

  get route(): Route {
    return (this.way ??= this.rerouted.has(this.key) ? otherRoute(this.header, this.entry) : routeOf(this.header, this.entry));
  }
}

export type Fineness = 'missing' | 'coarse' | 'exact';

/** Made by `FrameLoader.stack`. */
export class FrameStack implements Frames {
  readonly images: Images;
  readonly failures = new Map<string, string>();
  /** What the server draws, it draws in this window; empty: as the header says. */
  pictureQuery = '';
  private readonly listeners = new Set<(position: number | undefined) => void>();
  private readonly stream: SeriesStream;
  private readonly stopping = new AbortController();
  private metadata: SeriesMetadata | undefined;
  private described: SeriesTable | undefined;
  private list: readonly StackFrame[] = [];
  private keys = new Map<string, number>();
  private readonly rerouted = new Set<string>();

  /** Rejects when the series cannot be shown at all. */
  readonly ready: Promise<void>;

  constructor(
    session: StreamSession,
    readonly study: string,
    readonly series: string,
    given?: (pixels: Pixels) => void,
  ) {
    this.images = new Images(given);
    this.stream = session.open(study, series, { approximate: true });
    this.stream.on((event) => this.heard(event));
    const { signal } = this.stopping;
    this.ready = Promise.all([this.stream.ready, SeriesMetadata.fetch(study, series, signal)]).then(([, metadata]) => {
      this.metadata = metadata;
      this.arrange();
    });
    this.ready.catch(() => undefined); // who waits for it says it
  }

  get frames(): readonly StackFrame[] {
    return this.list;
  }

  get streaming(): SeriesStream {
    return this.stream;
  }

  /** Whether the session sends anything that is decoded here. */
  get isStreamed(): boolean {
    return this.list.length === 0 || this.list.some(({ route }) => route.kind === 'stream');
  }

  /** A frame; those beside the ends are the end ones. */
  at(position: number): StackFrame | undefined {
    return this.list[Math.min(Math.max(position, 0), this.list.length - 1)];
  }

  positionOf(key: string): number | undefined {
    return this.keys.get(key);
  }

  best(position: number): Pixels | undefined {
    const frame = this.list[position];
    return frame === undefined ? undefined : this.images.best(frame.key);
  }

  fineness(position: number): Fineness {
    const frame = this.list[position];
    const halvings = frame === undefined ? Infinity : this.images.halvings(frame.key);
    return halvings === 0 ? 'exact' : halvings === Infinity ? 'missing' : 'coarse';
  }

  /** What has come of a frame, decoded or not: for the bar beside the image. */
  arrived(position: number): Fineness {
    const decoded = this.fineness(position);
    const halvings = this.list[position]?.route.kind === 'stream' ? this.stream.halvings(position) : -1;
    return decoded === 'exact' || halvings === 0 ? 'exact' : decoded === 'coarse' || halvings > 0 ? 'coarse' : 'missing';
  }

  /** Hear of changes of a frame, or (undefined) of all; gives the function that ends it. */
  on(listener: (position: number | undefined) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** A frame is decoded. */
  put(frame: StackFrame, pixels: Pixels): void {
    this.images.put(frame.key, pixels);
    this.failures.delete(frame.key);
    this.emit(this.keys.get(frame.key));
  }

  fail(frame: StackFrame, words: string): void {
    this.failures.set(frame.key, words);
    this.emit(this.keys.get(frame.key));
  }

  /**
   * A frame that cannot be decoded here is asked of the server, which may know better; false when it was already.
   * What the session sends of it is passed over from now on.
   */
  reroute(frame: StackFrame): boolean {
    if (frame.route.kind !== 'stream' || this.rerouted.has(frame.key)) return false;
    this.rerouted.add(frame.key);
    this.arrange();
    return true;
  }

  /** What the server draws is wanted in another window. */
  redraw(query: string): void {
    if (query === this.pictureQuery) return;
    this.pictureQuery = query;
    this.emit(undefined);
  }

  /** Images have come or gone. */
  renew(): void {
    this.stream.refresh();
  }

  look(viewport: object, session: StreamViewport, loader: FrameLoader, looking: Looking): void {
    const { enough, ...demand } = looking;
    if (this.isStreamed) session.look(this.stream, demand);
    else session.close();
    loader.watch(viewport, { stack: this, position: looking.position, enough, velocity: looking.velocity, direction: looking.direction });
  }

  close(): void {
    this.stopping.abort();
    this.stream.close();
    this.images.clear();
    this.listeners.clear();
  }

  private heard(event: SeriesEvent): void {
    if (event.kind === 'table') {
      if (this.metadata !== undefined) this.arrange();
    } else if (event.kind === 'ready') {
      this.stream.refresh();
    } else if (event.kind === 'failed') {
      const { position, message } = event.error;
      const frame = position === undefined ? undefined : this.list[position];
      if (frame !== undefined) this.fail(frame, message);
    } else if (event.kind === 'frame') this.emit(event.position);
  }

  /** Instances have come since the headers were read. */
  private describe(): void {
    SeriesMetadata.fetch(this.study, this.series, this.stopping.signal).then(
      (metadata) => {
        this.metadata = metadata;
        this.arrange();
      },
      (error: unknown) => {
        if (this.stopping.signal.aborted) return;
        const words = error instanceof Error ? error.message : String(error);
        for (const frame of this.list) if (this.images.halvings(frame.key) === Infinity) this.fail(frame, words);
      },
    );
  }

  private arrange(): void {
    const { metadata } = this;
    const table = this.stream.table;
    if (metadata === undefined || table === undefined) return;
    if (table !== this.described && table.frames.some(({ sopInstanceUid }) => !metadata.has(sopInstanceUid))) {
      this.described = table; // once for each table: what has no header then has none
      this.describe();
      return;
    }
    this.list = table.frames.map((entry) => new StreamedFrame(entry, metadata, this.rerouted));
    this.keys = new Map(this.list.map(({ key }, position) => [key, position]));
    this.images.retain((key) => this.keys.has(key));
    this.emit(undefined);
  }

  private emit(position: number | undefined): void {
    for (const listener of [...this.listeners]) listener(position);
  }
}

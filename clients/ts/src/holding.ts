// The bytes that a client has of a series' frames: of each the first so many.
import { ProtocolError } from './errors.js';
import type { SeriesTable } from './table.js';

/** One for a series under one tag. */
export class Holding {
  private readonly buffers: (Uint8Array<ArrayBuffer> | undefined)[];
  private readonly counts: Float64Array; // whole numbers; a frame may have more than 2³² bytes
  private readonly gaps = new Set<number>(); // given up; what was under way behind it still comes
  private total = 0;

  constructor(readonly table: SeriesTable) {
    this.buffers = new Array<undefined>(table.frames.length).fill(undefined);
    this.counts = new Float64Array(table.frames.length);
  }

  /** Bytes held of all frames. */
  get byteCount(): number {
    return this.total;
  }

  /** Bytes held of one frame. */
  count(position: number): number {
    return this.counts[position] ?? 0;
  }

  /** What is held of a frame: its first bytes. A view that later bytes do not change; empty when there are none. */
  bytes(position: number): Uint8Array<ArrayBuffer> {
    return this.buffers[position]?.subarray(0, this.count(position)) ?? new Uint8Array();
  }

  /**
   * Put bytes behind those that are held; false when they lie behind bytes that were given up, and count for nothing.
   *
   * @param until where the level ends that they belong to: so much room is made at once
   */
  append(position: number, first: number, payload: Uint8Array, until: number): boolean {
    const had = this.count(position);
    const end = first + payload.length;
    if (end > this.table.size(position)) throw new ProtocolError(`frame ${position} has no byte ${end}`);
    if (first > had) {
      if (this.gaps.has(position)) return false;
      throw new ProtocolError(`frame ${position} goes on at byte ${first}, but ${had} are here`);
    }
    if (end <= had) return false;
    this.gaps.delete(position);
    let buffer = this.buffers[position];
    if (buffer === undefined || buffer.length < end) {
      const grown = new Uint8Array(Math.max(end, Math.min(until, this.table.size(position))));
      if (buffer !== undefined) grown.set(buffer.subarray(0, had));
      this.buffers[position] = buffer = grown;
    }
    buffer.set(payload.subarray(had - first), had);
    this.counts[position] = end;
    this.total += end - had;
    return true;
  }

  /** Keep the first `keep` bytes of a frame, if it has more. */
  drop(position: number, keep: number): void {
    const had = this.count(position);
    if (keep >= had) return;
    // A copy: a view of the longer one would keep all of it in memory.
    this.buffers[position] = keep > 0 ? this.buffers[position]?.slice(0, keep) : undefined;
    this.counts[position] = keep;
    this.total -= had - keep;
  }

  /** As `drop`, of our own accord: bytes that follow what is gone may be on their way. */
  forget(position: number, keep: number): void {
    if (keep < this.count(position)) this.gaps.add(position);
    this.drop(position, keep);
  }

  /** [position, bytes] of all that is held, as the word `open` says it. */
  said(): [number, number][] {
    const pairs: [number, number][] = [];
    this.counts.forEach((count, position) => {
      if (count > 0) pairs.push([position, count]);
    });
    return pairs;
  }

  /** A new connection: nothing is under way on it. */
  renewed(): void {
    this.gaps.clear();
  }
}

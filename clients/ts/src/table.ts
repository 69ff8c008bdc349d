// What a series is made of: its frames, and where the resolutions of each end (the SERIES object of docs/stream.md).
import { ProtocolError } from './errors.js';

/** One frame of a series. */
export interface FrameEntry {
  readonly sopInstanceUid: string;
  /** 1-based, as addresses have it. */
  readonly frameNumber: number;
  readonly rows: number;
  readonly columns: number;
  /** Of the bytes once all are there. */
  readonly transferSyntaxUid: string;
  readonly photometricInterpretation: string;
  /** Bits Stored as the code stream says it; 0 for bytes as they are stored. */
  readonly bits: number;
  /** Byte ends of its resolutions, coarsest first; the last is the whole frame. */
  readonly ends: readonly number[];
  /** So many of its first bytes are a code stream of their own, an approximate beginning; 0: they are the frame's. */
  readonly small: number;
}

/** The bytes that show a frame in some size: a code stream, or its beginning. */
export interface Part {
  /** Of the frame's bytes. */
  readonly start: number;
  readonly end: number;
  /** How often a decoder halves the sides of what the code stream says. */
  readonly reduce: number;
  /** Near the exact values, and HTJ2K of signed samples of 16 bits, whatever the frame is; cut off what is beyond its bits. */
  readonly isApproximate: boolean;
}

/** The frames of a series in slice order. */
export class SeriesTable {
  private constructor(
    /** Says which frames in which pieces: bytes held under one tag count under the same one. */
    readonly tag: string,
    /** False: finer steps are being made; the event `ready` says when to `refresh` for them. */
    readonly isComplete: boolean,
    /** Steps of the finest ladder. */
    readonly levels: number,
    readonly frames: readonly FrameEntry[],
  ) {}

  /** Read and check the JSON of a SERIES record; throws `ProtocolError`. */
  static parse(text: string): SeriesTable {
    let said: Record<string, unknown>;
    try {
      said = JSON.parse(text) as Record<string, unknown>;
    } catch {
      throw new ProtocolError('a table of a series that is no JSON');
    }
    const { instances, texts, frames, levels, tag, small } = said;
    if (!Array.isArray(instances) || !Array.isArray(texts) || !Array.isArray(frames) || typeof tag !== 'string') {
      throw new ProtocolError('a table of a series without its members');
    }
    const rows = frames.map((row: unknown, position) => entry(row, position, instances as string[], texts as string[], Array.isArray(small) ? (small[position] as unknown) : 0));
    const most = Math.max(0, ...rows.map((row) => row.ends.length));
    if (levels !== most) throw new ProtocolError('a table of a series with another number of levels than its frames have');
    return new SeriesTable(tag, said.isComplete === true, most, rows);
  }

  /** The bytes that a frame has at a level of the series' ladder; its first ones at all levels coarser than its own. */
  end(position: number, level: number): number {
    const { ends } = this.entry(position);
    return ends[Math.max(0, level - this.levels + ends.length)] ?? this.size(position);
  }

  size(position: number): number {
    return this.entry(position).ends.at(-1) ?? 0;
  }

  /** How often the sides are halved in what `bytes` of a frame show: 0 for all of them; -1 when they show nothing yet. */
  halvings(position: number, bytes: number): number {
    const { ends } = this.entry(position);
    for (let own = ends.length - 1; own >= 0; own--) if (bytes >= (ends[own] ?? Infinity)) return ends.length - 1 - own;
    return -1;
  }

  /** Which bytes show a frame at 1/2^halvings of its sides, and how they are to be decoded; the exact ones if `held` has them. */
  part(position: number, halvings: number, held: number): Part {
    const { ends, small } = this.entry(position);
    const end = ends[ends.length - 1 - halvings];
    if (end === undefined) throw new RangeError(`frame ${position} has no resolution of 1/2^${halvings}`);
    if (small === 0 || end > small) return { start: small, end, reduce: halvings, isApproximate: false };
    const last = ends.lastIndexOf(small);
    const own = ends[last + 1] ?? Infinity; // of the next size, which has all coarser ones in it
    if (held >= own) return { start: small, end: own, reduce: halvings, isApproximate: false };
    return { start: 0, end, reduce: halvings - (ends.length - 1 - last), isApproximate: true };
  }

  entry(position: number): FrameEntry {
    const found = this.frames[position];
    if (found === undefined) throw new ProtocolError(`the series has no frame ${position}`);
    return found;
  }
}

const HEAD_MEMBERS = 7;

function entry(row: unknown, position: number, instances: readonly string[], texts: readonly string[], small: unknown): FrameEntry {
  if (!Array.isArray(row) || row.length <= HEAD_MEMBERS || !row.every((n) => Number.isInteger(n) && n >= 0)) {
    throw new ProtocolError(`frame ${position} of a series is not described by whole numbers`);
  }
  const [instance, frameNumber, rows, columns, syntax, photometric, bits, ...ends] = row as number[];
  const sopInstanceUid = instances[instance ?? -1];
  const transferSyntaxUid = texts[syntax ?? -1];
  const photometricInterpretation = texts[photometric ?? -1];
  const isRising = ends.every((end, at) => at === 0 || end >= (ends[at - 1] ?? 0));
  if (typeof sopInstanceUid !== 'string' || typeof transferSyntaxUid !== 'string' || !isRising || (small !== 0 && !ends.slice(0, -1).includes(small as number))) {
    throw new ProtocolError(`frame ${position} of a series is described wrongly`);
  }
  return {
    sopInstanceUid,
    frameNumber: frameNumber ?? 1,
    rows: rows ?? 0,
    columns: columns ?? 0,
    transferSyntaxUid,
    photometricInterpretation: photometricInterpretation ?? '',
    bits: bits ?? 0,
    ends,
    small: small as number,
  };
}

// Which greys a frame is shown in: the reader's window, the header's LUT or window, or what is usual; tables are kept.
import { storedRange, type FrameHeader } from '../dicom/frame';
import { binaryOf } from '../load/metadata';
import { automaticWindow } from '../image/automatic';
import { greyTable, type GreyPlan } from '../image/greys';
import { firstLut, type Lut } from '../image/lut';
import type { GreyPixels } from '../image/pixels';
import { rangeWindow, usual, type Window } from '../image/windows';

/** What a presentation state makes of stored values; the header's own rescale, tables and windows have no part in it (PS3.4 N.2.1.1). */
export interface StateGreys {
  readonly slope: number;
  readonly intercept: number;
  /** In place of the rescale. */
  readonly modalityLut: Lut | undefined;
  /** undefined: all values that there can be. */
  readonly voi: Window | Lut | undefined;
  readonly presentationLut: Lut | undefined;
  readonly isInverse: boolean;
}

export interface Greys {
  readonly table: Uint8Array<ArrayBuffer>;
  readonly first: number;
  readonly padding: readonly [number, number] | undefined;
  readonly isSigned: boolean;
  /** What is shown; undefined for a VOI LUT. */
  readonly window: Window | undefined;
  /** Of a VOI LUT. */
  readonly name: string;
  readonly plan: GreyPlan;
}

interface Luts {
  modality: Lut | undefined;
  voi: Lut | undefined;
}

const TABLES_MAX = 16;

/** One for a series. */
export class GreyScale {
  private readonly tables = new Map<string, Greys>();
  private readonly luts = new Map<string, Luts | Error>();
  private readonly numbers = new Map<Lut, number>();
  /** The automatic window of the first exact frame: it stays while the hand scrolls, or the greys would flicker. */
  private automatic: { window: Window; isExact: boolean } | undefined;

  /** @param changed called when tables of a header have come */
  constructor(private readonly changed: () => void) {}

  /** The greys of a frame; undefined while its tables are fetched. Throws where they cannot be read. */
  of(frame: FrameHeader, pixels: GreyPixels, wanted: Window | undefined, isTurned: boolean, state?: StateGreys): Greys | undefined {
    if (state !== undefined) return this.tableOf(frame, stated(frame, state, wanted, isTurned));
    const luts = this.lutsOf(frame);
    if (luts === undefined) return undefined;
    if (luts instanceof Error) throw luts;
    const range = storedRange(frame);
    const base = luts.modality === undefined ? { slope: frame.slope, intercept: frame.intercept } : { slope: 1, intercept: 0 };
    const voi = wanted ?? luts.voi ?? frame.windows[0] ?? this.usual(frame, pixels, range, luts);
    return this.tableOf(frame, { range, ...base, modalityLut: luts.modality, voi, presentationLut: undefined, isInverted: frame.isInverted !== isTurned, padding: frame.padding });
  }

  private tableOf(frame: FrameHeader, plan: GreyPlan): Greys {
    const { range, slope, intercept, voi, padding } = plan;
    const luts = [this.number(plan.modalityLut), this.number(plan.presentationLut)];
    const name = [range, slope, intercept, luts, 'width' in voi ? [voi.center, voi.width, voi.shape] : this.number(voi), plan.isInverted, padding].join(' ');
    let found = this.tables.get(name);
    if (found === undefined) {
      const window = 'width' in voi ? voi : undefined;
      found = { table: greyTable(plan), first: range[0], padding, isSigned: frame.isSigned, window, name: 'width' in voi ? (voi.name ?? '') : voi.name, plan };
      if (this.tables.size >= TABLES_MAX) this.tables.delete(this.tables.keys().next().value ?? '');
      this.tables.set(name, found);
    }
    return found;
  }

  /** The next frame that is exact decides the automatic window anew. */
  renew(): void {
    this.automatic = undefined;
  }

  private usual(frame: FrameHeader, pixels: GreyPixels, range: [number, number], luts: Luts): Window {
    const found = usual({ ...frame, range });
    if (typeof found !== 'string') return found;
    if (this.automatic === undefined || (!this.automatic.isExact && pixels.halvings === 0)) {
      const { padding, slope, intercept } = frame;
      const values = luts.modality === undefined ? pixels : through(luts.modality, pixels);
      const terms = luts.modality === undefined ? { slope, intercept, padding, range } : { slope: 1, intercept: 0, padding: undefined, range: [0, 0xffff] as const };
      this.automatic = { window: automaticWindow(found, values, terms), isExact: pixels.halvings === 0 };
    }
    return this.automatic.window;
  }

  private lutsOf(frame: FrameHeader): Luts | Error | undefined {
    if (!frame.hasModalityLut && !frame.hasVoiLut) return { modality: undefined, voi: undefined };
    const found = this.luts.get(frame.sopInstanceUid);
    if (found === undefined && !this.luts.has(frame.sopInstanceUid)) {
      this.luts.set(frame.sopInstanceUid, undefined as never); // under way
      void this.fetch(frame);
    }
    return found;
  }

  private async fetch(frame: FrameHeader): Promise<void> {
    const { dataSet, isSigned } = frame;
    let found: Luts | Error;
    try {
      const modality = await firstLut(dataSet, '00283000', isSigned, binaryOf);
      // What comes out of a Modality LUT is never negative; a rescale can make it so.
      const canBeNegative = modality === undefined && (isSigned || frame.intercept < 0);
      found = { modality, voi: await firstLut(dataSet, '00283010', canBeNegative, binaryOf) };
    } catch (error) {
      found = error instanceof Error ? error : new Error(String(error));
    }
    this.luts.set(frame.sopInstanceUid, found);
    this.changed();
  }

  private number(lut: Lut | undefined): number {
    if (lut === undefined) return 0;
    const known = this.numbers.get(lut) ?? this.numbers.size + 1;
    this.numbers.set(lut, known);
    return known;
  }
}

/** A state knows no padding: it is shown as the values that it has (as the server shows it). */
function stated(frame: FrameHeader, state: StateGreys, wanted: Window | undefined, isTurned: boolean): GreyPlan {
  const range = storedRange(frame);
  const { slope, intercept, modalityLut, presentationLut } = state;
  const ends = modalityLut === undefined ? range.map((end) => end * slope + intercept) : [0, 2 ** modalityLut.bits - 1];
  const voi = wanted ?? state.voi ?? rangeWindow(Math.min(...ends), Math.max(...ends));
  return { range, slope, intercept, modalityLut, voi, presentationLut, isInverted: state.isInverse !== isTurned, padding: undefined };
}

function through(lut: Lut, pixels: GreyPixels): GreyPixels {
  const values = new Uint16Array(pixels.values.length);
  pixels.values.forEach((value, at) => (values[at] = lut.values[Math.min(Math.max(value - lut.first, 0), lut.values.length - 1)] ?? 0));
  return { ...pixels, values };
}

// A presentation state as a viewport applies it: its tables and bitmaps fetched, its covers made when frames are seen.
import { base64, itemsOf, numberOf, textOf, type DataSet } from '../dicom/attributes';
import { firstLut } from '../image/lut';
import { binaryOf } from '../load/metadata';
import type { StackFrame } from '../load/stack';
import type { Presentation } from '../viewport/viewport';
import type { StateGreys } from '../viewport/greys';
import { colourIn, type Rgb } from './colour';
import { eachCovered, overlayIn, OVERLAY_GROUPS, type Overlay } from './overlays';
import { windowIn, type ViewState } from './read';
import { eachHidden, shutterIn, type Shutter } from './shutter';

const COVERS_MAX = 2; // four bytes a pixel each
const WHITE: Rgb = [255, 255, 255];

interface Active {
  readonly group: string;
  readonly layer: string;
  /** undefined: it is the image's own. */
  readonly overlay: Overlay | undefined;
  readonly colour: Rgb;
}

export class Presented implements Presentation {
  private readonly covers = new Map<string, HTMLCanvasElement | undefined>();
  private readonly underWay = new Set<string>();

  private constructor(
    private readonly state: ViewState,
    private readonly greys: ReadonlyMap<DataSet | undefined, StateGreys>,
    private readonly shutter: Shutter | undefined,
    private readonly bitmap: Overlay | undefined,
    private readonly active: readonly Active[],
    private readonly changed: () => void,
    private readonly failed: (reason: string) => void,
  ) {}

  /**
   * Throws where a table, a bitmap or the shutter cannot be read: such a state is not applied at all.
   * @param isSigned of the pixels: how the first value of a table is meant
   */
  static async of(state: ViewState, isSigned: boolean, changed: () => void, failed: (reason: string) => void): Promise<Presented> {
    const { dataSet: ds } = state;
    const greys = new Map<DataSet | undefined, StateGreys>();
    if (state.isInverse !== undefined) {
      const same = { ...(await modalityIn(ds, isSigned)), presentationLut: await firstLut(ds, '20500010', false, binaryOf), isInverse: state.isInverse };
      // What comes out of a Modality LUT is never negative; a rescale can make it so.
      const canBeNegative = same.modalityLut === undefined && (isSigned || same.intercept < 0 || same.slope < 0);
      greys.set(undefined, { ...same, voi: undefined });
      for (const item of itemsOf(ds, '00283110')) greys.set(item, { ...same, voi: (await firstLut(item, '00283010', canBeNegative, binaryOf)) ?? windowIn(item) });
    }
    const shutter = shutterIn(ds);
    const bitmap = shutter?.group === undefined ? undefined : await overlayIn(ds, shutter.group);
    if (shutter?.group !== undefined && bitmap === undefined) throw new Error('a bitmap shutter without its overlay');
    const layers = itemsOf(ds, '00700060');
    const order = (name: string) => numberOf(layers.find((layer) => textOf(layer, '00700002') === name), '00700062') ?? Infinity;
    const active: (Active & { order: number })[] = [];
    for (const group of OVERLAY_GROUPS) {
      const name = textOf(ds, `${group}1001`);
      if (name === '' || group === shutter?.group) continue;
      const layer = layers.find((one) => textOf(one, '00700002') === name);
      active.push({ group, layer: name, overlay: await overlayIn(ds, group), order: order(name), colour: (layer && colourIn(layer, '00700401', '00700066')) ?? WHITE });
    }
    active.sort((a, b) => a.order - b.order);
    return new Presented(state, greys, shutter, bitmap, active, changed, failed);
  }

  get name(): string {
    return this.state.name;
  }

  /** Shutter and overlays as the state says them, with their bits in place (tags as in DICOM JSON). */
  get laidOver(): Record<string, { vr: string; Value?: unknown[]; InlineBinary?: string }> {
    const kept: Record<string, { vr: string; Value?: unknown[]; InlineBinary?: string }> = {};
    for (const [tag, attribute] of Object.entries(this.state.dataSet)) {
      const isBits = /^60..3000$/.test(tag);
      if (attribute?.vr !== undefined && !isBits && /^(001816(0|1|2).|60......)$/.test(tag)) kept[tag] = { vr: attribute.vr, ...(attribute.Value === undefined ? {} : { Value: attribute.Value }) };
    }
    const planes = [...this.active, ...(this.bitmap === undefined ? [] : [{ group: this.shutter?.group ?? '', overlay: this.bitmap }])];
    for (const { group, overlay } of planes) if (overlay !== undefined) kept[`${group.toUpperCase()}3000`] = { vr: 'OW', InlineBinary: base64(overlay.bits) };
    return kept;
  }

  /** The layers that its overlays are in, the lowest first, with the colours that are recommended for them. */
  get layers(): readonly DataSet[] {
    const names = [...new Set(this.active.map(({ layer }) => layer))];
    const described = itemsOf(this.state.dataSet, '00700060');
    return names.map((name) => described.find((item) => textOf(item, '00700002') === name) ?? { '00700002': { vr: 'CS', Value: [name] } });
  }

  holds(key: string): boolean {
    return this.state.holds(key);
  }

  greysOf(key: string): StateGreys | undefined {
    return this.greys.get(this.state.voiOf(key));
  }

  coverOf(frame: StackFrame): HTMLCanvasElement | undefined {
    if (this.shutter === undefined && this.active.length === 0) return undefined;
    if (!this.covers.has(frame.key) && !this.underWay.has(frame.key)) {
      this.underWay.add(frame.key);
      this.cover(frame).then(
        (cover) => {
          for (const old of this.covers.keys()) if (this.covers.size >= COVERS_MAX) this.covers.delete(old);
          this.covers.set(frame.key, cover);
          this.underWay.delete(frame.key);
          this.changed();
        },
        (error: unknown) => this.failed(error instanceof Error ? error.message : String(error)), // and is not tried again
      );
    }
    return this.covers.get(frame.key);
  }

  /** The shutter, and overlays above it (PS3.4 N.2). */
  private async cover({ header, entry }: StackFrame): Promise<HTMLCanvasElement> {
    const overlays: { overlay: Overlay; colour: Rgb }[] = [];
    for (const { group, overlay, colour } of this.active) {
      const found = overlay ?? (await overlayIn(header.dataSet, group));
      if (found !== undefined) overlays.push({ overlay: found, colour });
      else if (`${group}0010` in header.dataSet) throw new Error(`overlay ${group} is inside the pixel cells`);
    }
    const { columns, rows } = entry;
    const image = new ImageData(columns, rows);
    const words = new Uint32Array(image.data.buffer);
    const putter = (colour: Rgb) => {
      const word = new Uint32Array(new Uint8Array([...colour, 255]).buffer)[0] ?? 0;
      return (column: number, row: number) => void (words[row * columns + column] = word);
    };
    if (this.shutter !== undefined) eachHidden(this.shutter, columns, rows, header.pixelAspect, putter(this.shutter.colour));
    // Of a bitmap shutter there is one, for all frames.
    if (this.shutter !== undefined && this.bitmap !== undefined) eachCovered({ ...this.bitmap, origin: [1, 1], frameCount: 0 }, 1, columns, rows, putter(this.shutter.colour));
    for (const { overlay, colour } of overlays) eachCovered(overlay, header.frameNumber, columns, rows, putter(colour));
    const canvas = document.createElement('canvas');
    canvas.width = columns;
    canvas.height = rows;
    const context = canvas.getContext('2d', { willReadFrequently: true });
    if (context === null) throw new Error('this canvas cannot be drawn on');
    context.putImageData(image, 0, 0);
    return canvas;
  }
}

/** Modality LUT or rescale; the image's own has no part in it, so none is the identity. */
async function modalityIn(ds: DataSet, isSigned: boolean): Promise<Pick<StateGreys, 'modalityLut' | 'slope' | 'intercept'>> {
  const modalityLut = await firstLut(ds, '00283000', isSigned, binaryOf);
  if (modalityLut !== undefined) return { modalityLut, slope: 1, intercept: 0 };
  const [slope, intercept] = [numberOf(ds, '00281053') ?? 1, numberOf(ds, '00281052') ?? 0];
  if (slope === 0) throw new Error('a Rescale Slope of 0');
  return { modalityLut, slope, intercept };
}

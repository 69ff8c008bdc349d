// Draws frames by the processor, on a canvas of two dimensions: the window by a table, the size by the browser (docs/decisions/0010).
import { multiply, type Matrix } from './matrix';
import { pitchOf, type Painter, type Picture, type PictureGreys, type Place } from './painter';
import type { GreyPixels, Pixels } from '../image/pixels';

const CODES = 256; // of a byte
const SPARES_MAX = 4; // a frame is drawn coarse, then finer: in two or three sizes by turns

interface Kept {
  context: OffscreenCanvasRenderingContext2D;
  greys: PictureGreys | undefined;
  isInverted: boolean;
}

export class CpuPainter implements Painter {
  private readonly context: CanvasRenderingContext2D;
  private readonly kept = new Map<Pixels, Kept>(); // that went through their window already, in the order of their last use
  private keptMost = 2; // those that are seen, and one more: each has a canvas of its own, and the window takes no longer than finding it
  private readonly words = new WeakMap<PictureGreys, Map<string, Uint32Array>>();
  private readonly spares: OffscreenCanvasRenderingContext2D[] = []; // given up: making one takes 0.6 ms, and browsers collect them late
  private scratch: ImageData | undefined; // for one at a time, so that nobody has to collect a megabyte for each
  private pixels = new Uint8ClampedArray(0); // of the largest that there was; `scratch` begins with it

  constructor(private readonly canvas: HTMLCanvasElement) {
    // willReadFrequently keeps it out of a graphics card that is none.
    const context = canvas.getContext('2d', { alpha: false, willReadFrequently: true });
    if (context === null) throw new Error('this canvas cannot be drawn on');
    this.context = context;
  }

  resize(width: number, height: number): void {
    if (this.canvas.width === width && this.canvas.height === height) return;
    this.canvas.width = width;
    this.canvas.height = height;
  }

  draw(pictures: readonly { place: Place; picture: Picture | undefined }[]): void {
    const { context, canvas } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = '#000';
    context.fillRect(0, 0, canvas.width, canvas.height);
    this.keptMost = pictures.length + 1;
    for (const { place, picture } of pictures) if (picture !== undefined) this.picture(context, place, picture);
  }

  read(picture: Picture, width: number, height: number): Uint8ClampedArray<ArrayBuffer> {
    const context = new OffscreenCanvas(width, height).getContext('2d', { alpha: false, willReadFrequently: true });
    if (context === null) throw new Error('this picture cannot be drawn');
    this.picture(context, { x: 0, y: 0, width, height }, picture);
    return context.getImageData(0, 0, width, height).data;
  }

  dispose(): void {
    this.kept.clear();
    this.spares.length = 0;
    this.scratch = undefined;
    this.pixels = new Uint8ClampedArray(0);
  }

  private picture(context: CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D, place: Place, picture: Picture): void {
    const source = this.source(picture);
    const pitch = pitchOf(picture);
    // A halved image has its pixels where every second one of the whole was (the low band of the 5/3 wavelet).
    const toWhole: Matrix = { a: pitch, b: 0, c: 0, d: pitch, e: 0.5 - pitch / 2, f: 0.5 - pitch / 2 };
    const m = multiply(picture.toScreen, toWhole);
    const scale = Math.min(Math.hypot(m.a, m.b), Math.hypot(m.c, m.d));
    context.save();
    context.beginPath();
    context.rect(place.x, place.y, place.width, place.height);
    context.clip();
    context.setTransform(m.a, m.b, m.c, m.d, m.e + place.x, m.f + place.y);
    const isSame = Math.abs(m.a * m.d - m.b * m.c) === 1;
    context.imageSmoothingEnabled = !isSame;
    context.imageSmoothingQuality = scale < 0.7 ? 'medium' : 'low';
    context.drawImage(source, 0, 0);
    context.restore();
  }

  /** The frame in the greys of its window, in its own size. */
  private source({ pixels, greys, isInverted }: Picture): OffscreenCanvas {
    const found = this.kept.get(pixels);
    if (found !== undefined) {
      this.kept.delete(pixels);
      this.kept.set(pixels, found);
      if (found.greys === greys && found.isInverted === isInverted) return found.context.canvas;
    }
    const context = found?.context ?? this.contextFor(pixels.width, pixels.height);
    if (pixels.kind === 'grey') {
      if (greys === undefined) throw new Error('grey pixels without greys');
      context.putImageData(this.windowed(pixels, greys), 0, 0);
    } else if (pixels.rgba instanceof Uint8Array) {
      context.putImageData(new ImageData(new Uint8ClampedArray(pixels.rgba.buffer), pixels.width, pixels.height), 0, 0);
    } else context.drawImage(pixels.rgba, 0, 0);
    if (pixels.kind === 'colour' && isInverted) {
      context.globalCompositeOperation = 'difference';
      context.fillStyle = '#fff';
      context.fillRect(0, 0, pixels.width, pixels.height);
      context.globalCompositeOperation = 'source-over';
    }
    this.kept.set(pixels, { context, greys, isInverted });
    for (const [old, { context: spare }] of this.kept) {
      if (this.kept.size <= this.keptMost) break;
      this.kept.delete(old);
      this.spares.push(spare);
      if (this.spares.length > SPARES_MAX) this.spares.shift();
    }
    return context.canvas;
  }

  private contextFor(width: number, height: number): OffscreenCanvasRenderingContext2D {
    const at = this.spares.findIndex(({ canvas }) => canvas.width === width && canvas.height === height);
    const [spare] = at < 0 ? [] : this.spares.splice(at, 1);
    if (spare !== undefined) return spare;
    const context = new OffscreenCanvas(width, height).getContext('2d', { alpha: false, willReadFrequently: true });
    if (context === null) throw new Error('this frame cannot be drawn');
    return context;
  }

  /** Good until it is called again. */
  private windowed({ values, width, height }: GreyPixels, greys: PictureGreys): ImageData {
    if (this.scratch?.width !== width || this.scratch.height !== height) {
      const bytes = 4 * width * height;
      if (this.pixels.length < bytes) this.pixels = new Uint8ClampedArray(bytes);
      this.scratch = new ImageData(this.pixels.subarray(0, bytes), width, height);
    }
    const out = new Uint32Array(this.pixels.buffer, 0, width * height);
    const isSigned = values instanceof Int8Array || values instanceof Int16Array;
    const size = values.BYTES_PER_ELEMENT;
    const words = this.wordsOf(greys, size, isSigned);
    const { buffer, byteOffset, length } = values;
    // One loop for each width of a value, over codes that are all in the table: 0.3 ms for 512 × 512, 1.2 with a clamp.
    if (size === 1) look8(out, new Uint8Array(buffer, byteOffset, length), words);
    else look16(out, new Uint16Array(buffer, byteOffset, length), words);
    return this.scratch;
  }

  /** A whole pixel for each code that a value can be stored as: one store instead of four, and no code is beyond it. */
  private wordsOf(greys: PictureGreys, size: number, isSigned: boolean): Uint32Array {
    const kinds = this.words.get(greys) ?? new Map<string, Uint32Array>();
    this.words.set(greys, kinds);
    const kind = `${size} ${isSigned}`;
    let found = kinds.get(kind);
    if (found === undefined) {
      // The same word in either byte order but for where the 255 of the opaque stands.
      const isLittle = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;
      const { table, first } = greys;
      const [count, last] = [CODES ** size, table.length - 1];
      found = new Uint32Array(count);
      for (let code = 0; code < count; code++) {
        const entry = (isSigned && code >= count / 2 ? code - count : code) - first;
        // Values beyond Bits Stored, which some code streams have, are the last ones.
        const grey = table[entry < 0 ? 0 : entry > last ? last : entry] as number;
        found[code] = isLittle ? 0xff000000 | (grey * 0x010101) : (grey << 24) | (grey << 16) | (grey << 8) | 0xff;
      }
      kinds.set(kind, found);
    }
    return found;
  }
}

function look8(out: Uint32Array, codes: Uint8Array, words: Uint32Array): void {
  for (let at = 0; at < out.length; at++) out[at] = words[codes[at] as number] as number;
}

function look16(out: Uint32Array, codes: Uint16Array, words: Uint32Array): void {
  for (let at = 0; at < out.length; at++) out[at] = words[codes[at] as number] as number;
}

// Draws frames by the processor, on a canvas of two dimensions: the window by a table, the size by the browser (docs/decisions/0010).
import { multiply, type Matrix } from './matrix';
import { pitchOf, type Painter, type Picture, type PictureGreys, type Place } from './painter';
import type { GreyPixels, Pixels } from '../image/pixels';

const KEPT_MAX = 16; // pictures that went through their window already

interface Kept {
  canvas: OffscreenCanvas;
  greys: PictureGreys | undefined;
  isInverted: boolean;
}

export class CpuPainter implements Painter {
  private readonly context: CanvasRenderingContext2D;
  private readonly kept = new Map<Pixels, Kept>(); // in the order of their last use
  private readonly words = new WeakMap<Uint8Array, Uint32Array>();

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
      if (found.greys === greys && found.isInverted === isInverted) return found.canvas;
    }
    const canvas = found?.canvas ?? new OffscreenCanvas(pixels.width, pixels.height);
    const context = canvas.getContext('2d', { alpha: false, willReadFrequently: true });
    if (context === null) throw new Error('this frame cannot be drawn');
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
    this.kept.set(pixels, { canvas, greys, isInverted });
    for (const old of this.kept.keys()) {
      if (this.kept.size <= KEPT_MAX) break;
      this.kept.delete(old);
    }
    return canvas;
  }

  private windowed({ values, width, height }: GreyPixels, { table, first }: PictureGreys): ImageData {
    const words = this.wordsOf(table);
    const last = words.length - 1;
    const image = new ImageData(width, height);
    const out = new Uint32Array(image.data.buffer);
    for (let at = 0; at < out.length; at++) {
      const entry = (values[at] as number) - first;
      // Values beyond Bits Stored, which some code streams have, are the last ones.
      out[at] = words[entry < 0 ? 0 : entry > last ? last : entry] as number;
    }
    return image;
  }

  /** The table with a whole pixel for each entry: one store instead of four. */
  private wordsOf(table: Uint8Array): Uint32Array {
    let found = this.words.get(table);
    if (found === undefined) {
      // The same word in either byte order but for where the 255 of the opaque stands.
      const isLittle = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;
      found = Uint32Array.from(table, (grey) => (isLittle ? 0xff000000 | (grey * 0x010101) : (grey << 24) | (grey << 16) | (grey << 8) | 0xff) >>> 0);
      this.words.set(table, found);
    }
    return found;
  }
}

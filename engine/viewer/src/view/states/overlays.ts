// Overlay planes: bitmaps over an image (PS3.3 C.9.2), of a presentation state or of the image itself.
import { numberOf, numbersOf, type DataSet } from '../dicom/attributes';
import { binaryOf } from '../load/metadata';

export interface Overlay {
  readonly rows: number;
  readonly columns: number;
  /** Row and column of the image, from 1, where its first bit lies. */
  readonly origin: readonly [number, number];
  /** One bit each, least significant first, frames without a gap. */
  readonly bits: Uint8Array;
  /** 0: one picture for every frame of the image. */
  readonly frameCount: number;
  /** Of the image, 1-based: that its first frame is for. */
  readonly firstFrame: number;
}

/** 6000 to 601E (PS3.5 7.6). */
export const OVERLAY_GROUPS: readonly string[] = Array.from({ length: 16 }, (_, at) => (0x6000 + 2 * at).toString(16));

/** undefined: no such plane, or one that is inside the pixel cells. Throws where it has fewer bits than it claims. */
export async function overlayIn(ds: DataSet, group: string): Promise<Overlay | undefined> {
  const [rows = 0, columns = 0] = [numberOf(ds, `${group}0010`), numberOf(ds, `${group}0011`)];
  if (!(rows > 0 && columns > 0) || ds[`${group}3000`] === undefined) return undefined;
  const bits = await binaryOf(ds, `${group}3000`);
  const frameCount = Math.max(numberOf(ds, `${group}0015`) ?? 0, 0);
  if (rows * columns * Math.max(frameCount, 1) > 8 * bits.length) throw new Error(`overlay ${group} has ${bits.length} bytes for ${columns} × ${rows} bits`);
  const [top = 1, left = 1] = numbersOf(ds, `${group}0050`);
  return { rows, columns, origin: [top, left], bits, frameCount, firstFrame: Math.max(numberOf(ds, `${group}0051`) ?? 1, 1) };
}

/** Call for each pixel (from 0) of an image that the overlay covers in a frame (1-based). */
export function eachCovered(overlay: Overlay, frameNumber: number, columns: number, rows: number, put: (column: number, row: number) => void): void {
  const { bits, frameCount, firstFrame, origin } = overlay;
  const frame = frameCount === 0 ? 0 : frameNumber - firstFrame;
  if (frame < 0 || (frameCount > 0 && frame >= frameCount)) return;
  const first = frame * overlay.rows * overlay.columns;
  for (let y = 0; y < overlay.rows; y++) {
    const row = y + origin[0] - 1;
    if (row < 0 || row >= rows) continue;
    for (let x = 0; x < overlay.columns; x++) {
      const column = x + origin[1] - 1;
      const bit = first + y * overlay.columns + x;
      if (column >= 0 && column < columns && (((bits[bit >> 3] ?? 0) >> (bit & 7)) & 1) === 1) put(column, row);
    }
  }
}

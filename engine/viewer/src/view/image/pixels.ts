// A decoded frame, whole or at 1/2^halvings of its sides: stored values of grey, or colours as they are shown.

export type GreyValues = Uint8Array<ArrayBuffer> | Int8Array<ArrayBuffer> | Uint16Array<ArrayBuffer> | Int16Array<ArrayBuffer>;

export interface GreyPixels {
  readonly kind: 'grey';
  readonly width: number;
  readonly height: number;
  readonly halvings: number;
  /** Stored values (PS3.5 8.1.1): masked, sign extended, in their type. */
  readonly values: GreyValues;
}

export interface ColourPixels {
  readonly kind: 'colour';
  readonly width: number;
  readonly height: number;
  readonly halvings: number;
  /** Red, green, blue, 255 for each pixel; or a picture that the browser decoded. */
  readonly rgba: Uint8Array<ArrayBuffer> | ImageBitmap;
}

export type Pixels = GreyPixels | ColourPixels;

export function byteCount(pixels: Pixels): number {
  return pixels.kind === 'grey' ? pixels.values.byteLength : 4 * pixels.width * pixels.height;
}

/** Sides after so many halvings, rounded up as JPEG 2000 does (ISO/IEC 15444-1 B.5). */
export function halved(side: number, halvings: number): number {
  return Math.ceil(side / 2 ** halvings);
}

// What draws frames on the one canvas that lies below all viewports; by the graphics card, or by the processor where there is none.
import type { Pixels } from '../image/pixels';
import type { Matrix } from './matrix';

/** The grey of each stored value of a frame. */
export interface PictureGreys {
  readonly table: Uint8Array<ArrayBuffer>;
  /** The stored value that the table begins with. */
  readonly first: number;
  /** Stored values that are no anatomy; undefined when there are none. */
  readonly padding: readonly [number, number] | undefined;
  readonly isSigned: boolean;
}

/** One viewport's image. Lengths are device pixels. */
export interface Picture {
  readonly pixels: Pixels;
  /** Of the whole frame. */
  readonly columns: number;
  readonly rows: number;
  /** From pixels of the whole frame to device pixels of the viewport. */
  readonly toScreen: Matrix;
  /** Of colours; that of greys is in their table. */
  readonly isInverted: boolean;
  /** Of grey pixels. */
  readonly greys?: PictureGreys;
}

/** Where a viewport lies on the canvas, from its upper left corner. */
export interface Place {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Painter {
  /** The canvas' size in device pixels; what was drawn is gone when it changes. */
  resize(width: number, height: number): void;
  /** All of the canvas anew; a place without a picture is black. */
  draw(pictures: readonly { place: Place; picture: Picture | undefined }[]): void;
  /** A picture of its own as RGBA rows from the top: what is on the screen, for saving and for tests. */
  read(picture: Picture, width: number, height: number): Uint8ClampedArray<ArrayBuffer>;
  dispose(): void;
}

/** Pixels of the whole frame for one of these: more than one while it is coarse. */
export function pitchOf({ pixels, columns }: Picture): number {
  return pixels.width === columns ? 1 : 2 ** pixels.halvings;
}

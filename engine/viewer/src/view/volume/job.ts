// What a casting worker is told and asked, and what it answers.
import type { GreyValues } from '../image/pixels';
import type { Sizes } from './grid';
import type { Look } from './look';
import type { Triple } from './rays';

/** The block that a worker holds. */
export interface Plan {
  readonly sizes: Sizes;
  /** How often the sides of frames are halved in it. */
  readonly halvings: number;
  /** Millimetres between its samples along each axis. */
  readonly steps: Triple;
  readonly isSigned: boolean;
  /** Of what has not come, and of padding. */
  readonly empty: number;
  /** Smallest and largest stored value. */
  readonly range: readonly [number, number];
}

/** A frame that has become finer. */
export interface Frame {
  readonly position: number;
  readonly width: number;
  readonly height: number;
  readonly halvings: number;
  readonly values: GreyValues;
  /** To the values of the block: v × factor + offset. */
  readonly factor: number;
  readonly offset: number;
  readonly padding: readonly [number, number] | undefined;
}

/** Where the rays of a picture go, in millimetres along the block's axes from its middle. */
export interface View {
  /** Of the whole picture, in pixels of the screen. */
  readonly width: number;
  readonly height: number;
  /** Of the middle of pixel (0, 0). */
  readonly corner: Triple;
  /** From pixel to pixel. */
  readonly across: Triple;
  readonly down: Triple;
  /** Of length 1. */
  readonly into: Triple;
  /** Parts of each axis that are left: 0 to 1. */
  readonly kept: readonly (readonly [number, number])[];
}

/** Some rows of a picture of which every 2^halvings-th pixel is drawn. */
export interface Band {
  readonly number: number;
  readonly view: View;
  readonly halvings: number;
  /** While the hand turns: in the smaller block, in longer steps. */
  readonly isQuick: boolean;
  readonly from: number;
  readonly to: number;
}

export type Told = { readonly plan: Plan } | { readonly frame: Frame } | { readonly look: Look } | { readonly band: Band };
export type Answer = { readonly number: number; readonly rgba: Uint8Array<ArrayBuffer>; readonly ms: number } | { readonly number: number; readonly error: string };

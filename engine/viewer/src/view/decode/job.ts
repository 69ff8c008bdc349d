// What a decoding worker is asked, and what it answers.
import type { Pixels } from '../image/pixels';

/** How the bytes of a frame are to be read. */
export interface Coding {
  readonly form: 'htj2k' | 'native';
  readonly rows: number;
  readonly columns: number;
  readonly samplesPerPixel: number;
  readonly bitsAllocated: number;
  readonly bitsStored: number;
  readonly highBit: number;
  readonly isSigned: boolean;
  readonly planarConfiguration: number;
  /** Of what comes out: MONOCHROME…, RGB, YBR_FULL. */
  readonly photometricInterpretation: string;
  /** The values may have bits beyond Bits Stored, which are not theirs. */
  readonly isMasked: boolean;
}

export interface DecodeJob {
  readonly number: number;
  readonly coding: Coding;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly size: Size;
  /** Where its stored values may be put, if they fill it. */
  readonly room: ArrayBuffer | undefined;
}

/** In what size a frame is decoded. */
export interface Size {
  /** How often its sides are halved; 0 for native bytes. */
  readonly halvings: number;
  /** How often the decoder halves those of the code stream: fewer times in an approximate beginning, which is small itself. */
  readonly reduce: number;
  readonly isApproximate: boolean;
}

export const WHOLE: Size = { halvings: 0, reduce: 0, isApproximate: false };

export type DecodeAnswer =
  | { readonly number: number; readonly pixels: Pixels; /** That the decoder itself took. */ readonly ms: number; /** That the bytes were in. */ readonly spare: ArrayBuffer }
  | { readonly number: number; readonly error: string };

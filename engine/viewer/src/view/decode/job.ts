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
  /** How often the sides are to be halved; 0 for native bytes. */
  readonly halvings: number;
}

export type DecodeAnswer =
  | { readonly number: number; readonly pixels: Pixels; /** That the decoder itself took. */ readonly ms: number }
  | { readonly number: number; readonly error: string };

// Native pixels (PS3.5 8.1.1, little endian), as they are stored or as the server unpacked them.
import type { GreyValues, Pixels } from '../image/pixels';
import type { Coding } from './job';
import { pixelsOf } from './samples';

export function decodeNative(coding: Coding, bytes: Uint8Array<ArrayBuffer>): Pixels {
  const { rows, columns } = coding;
  const count = rows * columns * coding.samplesPerPixel;
  const size = coding.bitsAllocated / 8;
  if ((size !== 1 && size !== 2) || bytes.length < count * size) {
    throw new Error(`${bytes.length} bytes for ${count} samples of ${coding.bitsAllocated} bits`);
  }
  const own = bytes.slice(0, count * size); // aligned, and ours to change
  let samples: GreyValues = own;
  if (size === 2) samples = coding.isSigned ? new Int16Array(own.buffer) : new Uint16Array(own.buffer);
  else if (coding.isSigned) samples = new Int8Array(own.buffer);
  return pixelsOf(coding, samples, columns, rows, 0);
}

// High-Throughput JPEG 2000 (ISO/IEC 15444-15) by OpenJPH as WebAssembly; the beginning of a code stream is a smaller image.
import createOpenJph from '@cornerstonejs/codec-openjph/wasmjs';
import wasmUrl from '@cornerstonejs/codec-openjph/wasm?url';
import { halved, type GreyValues, type Pixels } from '../image/pixels';
import type { Coding, Size } from './job';
import { approximated, pixelsOf } from './samples';

interface FrameInfo {
  width: number;
  height: number;
  bitsPerSample: number;
  componentCount: number;
  isSigned: boolean;
}

interface Decoder {
  getEncodedBuffer(size: number): Uint8Array;
  readHeader(): void;
  decodeSubResolution(level: number): void;
  getDecodedBuffer(): Uint8Array;
  getFrameInfo(): FrameInfo;
  delete(): void;
}

interface Encoder {
  /** Where the samples are to be put. */
  getDecodedBuffer(about: FrameInfo & { isUsingColorTransform: boolean }): Uint8Array;
  encode(): void;
  getEncodedBuffer(): Uint8Array;
  delete(): void;
}

interface OpenJph {
  HTJ2KDecoder: new () => Decoder;
  HTJ2KEncoder: new () => Encoder;
  getExceptionMessage?: (exception: number) => string;
}

let loading: Promise<OpenJph> | undefined;

/** Load it before the first frame is there. */
export function openJph(): Promise<OpenJph> {
  loading ??= createOpenJph({ locateFile: () => wasmUrl }) as Promise<OpenJph>;
  return loading;
}

/**
 * @param room where the values may be put, if they fill it
 * @param bytes whole, or cut at the end of the resolution that `size` asks for, or of a finer one
 */
export async function decodeHtj2k(coding: Coding, bytes: Uint8Array<ArrayBuffer>, { halvings, reduce, isApproximate }: Size, room?: ArrayBuffer): Promise<Pixels> {
  const decoder = new (await openJph()).HTJ2KDecoder();
  try {
    decoder.getEncodedBuffer(bytes.length).set(bytes);
    decoder.decodeSubResolution(reduce);
    const info = decoder.getFrameInfo();
    if (info.componentCount !== coding.samplesPerPixel) throw new Error(`${info.componentCount} components`);
    const [columns, rows] = [halved(coding.columns, halvings - reduce), halved(coding.rows, halvings - reduce)];
    if (info.width !== columns || info.height !== rows) {
      throw new Error(`a code stream of ${info.width} × ${info.height} pixels where ${columns} × ${rows} are due`);
    }
    const decoded = decoder.getDecodedBuffer();
    const own = new Uint8Array(room?.byteLength === decoded.length ? room : new ArrayBuffer(decoded.length));
    own.set(decoded); // a copy: what it points to is the decoder's
    const [width, height] = [halved(info.width, reduce), halved(info.height, reduce)];
    if (isApproximate) {
      if (!info.isSigned || info.bitsPerSample !== 16) throw new Error(`an approximate beginning of ${info.bitsPerSample} bits`);
      return { kind: 'grey', width, height, halvings, values: approximated(coding, new Int16Array(own.buffer)) };
    }
    let samples: GreyValues = own;
    if (info.bitsPerSample > 8) samples = info.isSigned ? new Int16Array(own.buffer) : new Uint16Array(own.buffer);
    else if (info.isSigned) samples = new Int8Array(own.buffer);
    // A coder that was given no more than Bits Stored has moved them down itself (PS3.5 8.1.1).
    const highBit = info.bitsPerSample <= coding.highBit ? coding.bitsStored - 1 : coding.highBit;
    return pixelsOf({ ...coding, highBit, planarConfiguration: 0 }, samples, width, height, halvings);
  } catch (error) {
    // WebAssembly throws the address of its exception.
    throw typeof error === 'number' ? new Error(`OpenJPH failed (${error})`) : error;
  } finally {
    decoder.delete();
  }
}

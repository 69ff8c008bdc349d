// From the samples of a code stream or of native bytes to what is drawn: stored values of grey, or colours.
import type { GreyValues, Pixels } from '../image/pixels';
import type { Coding } from './job';

/** `samples`: of 8 or 16 bits, interleaved, `height` × `width` × samples per pixel. */
export function pixelsOf(coding: Coding, samples: GreyValues, width: number, height: number, halvings: number): Pixels {
  if (samples.length < width * height * coding.samplesPerPixel) {
    throw new Error(`${samples.length} samples for ${width} × ${height} pixels`);
  }
  if (halvings > 0) limit(coding, samples);
  if (coding.samplesPerPixel === 1) return { kind: 'grey', width, height, halvings, values: stored(coding, samples) };
  return { kind: 'colour', width, height, halvings, rgba: rgba(coding, samples, width * height) };
}

/** A smaller image of a wavelet goes beyond its values at sharp edges: cut off, where masking would make black of white. */
function limit(coding: Coding, samples: GreyValues): void {
  const bits = coding.highBit + 1;
  const [least, most] = coding.isSigned ? [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] : [0, 2 ** bits - 1];
  for (let at = 0; at < samples.length; at++) samples[at] = Math.min(Math.max(samples[at] ?? 0, least), most);
}

/** Stored values of an approximate beginning, which has 16 bits for all: what swings beyond those of the frame is cut off. */
export function approximated(coding: Coding, samples: Int16Array<ArrayBuffer>): GreyValues {
  const bits = coding.bitsStored;
  const [least, most] = coding.isSigned ? [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] : [0, 2 ** bits - 1];
  for (let at = 0; at < samples.length; at++) samples[at] = Math.min(Math.max(samples[at] ?? 0, least), Math.min(most, 32_767));
  if (bits <= 8) return coding.isSigned ? Int8Array.from(samples) : Uint8Array.from(samples);
  return coding.isSigned ? samples : new Uint16Array(samples.buffer);
}

/** Stored values: moved down from under High Bit, masked or sign extended (PS3.5 8.1.1). */
function stored(coding: Coding, samples: GreyValues): GreyValues {
  const shift = coding.highBit + 1 - coding.bitsStored;
  const room = 32 - coding.bitsStored;
  const width = 8 * samples.BYTES_PER_ELEMENT;
  if (!coding.isMasked || (shift <= 0 && coding.bitsStored >= width)) return samples;
  for (let at = 0; at < samples.length; at++) {
    const value = ((samples[at] ?? 0) >> Math.max(shift, 0)) << room;
    samples[at] = coding.isSigned ? value >> room : value >>> room;
  }
  return samples;
}

function rgba(coding: Coding, samples: GreyValues, count: number): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(4 * count);
  const full = 2 ** coding.bitsStored - 1;
  const scale = 255 / full;
  const isYbr = coding.photometricInterpretation.startsWith('YBR_FULL');
  const [step, next] = coding.planarConfiguration === 1 ? [1, count] : [3, 1];
  for (let at = 0, from = 0, to = 0; at < count; at++, from += step, to += 4) {
    const a = (samples[from] ?? 0) * scale;
    const b = (samples[from + next] ?? 0) * scale;
    const c = (samples[from + 2 * next] ?? 0) * scale;
    if (isYbr) {
      // PS3.3 C.7.6.3.1.2
      const half = ((full + 1) / 2) * scale;
      out[to] = clamped(a + 1.402 * (c - half));
      out[to + 1] = clamped(a - ((0.114 * 1.772) / 0.587) * (b - half) - ((0.299 * 1.402) / 0.587) * (c - half));
      out[to + 2] = clamped(a + 1.772 * (b - half));
    } else {
      out[to] = a + 0.5;
      out[to + 1] = b + 0.5;
      out[to + 2] = c + 0.5;
    }
    out[to + 3] = 255;
  }
  return out;
}

function clamped(value: number): number {
  return value <= 0 ? 0 : value >= 255 ? 255 : value + 0.5;
}

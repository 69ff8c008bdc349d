// Makes the decoder quick before it is needed: browsers compile WebAssembly well only after it has run for a while.
import { openJph } from './htj2k';

const SIDE = 256;
const ROUNDS = 48; // 512 × 512 pixels take 15 ms at first, 6 to 8 for dozens of frames, 3.5 after these
const IDLE_MS = 200; // without a job for so long, so that none has to wait

/** Decode a picture of our own again and again; each time only while `isIdle`. */
export async function warm(isIdle: () => boolean): Promise<void> {
  const { HTJ2KEncoder, HTJ2KDecoder } = await openJph();
  await pause(IDLE_MS);
  let stream: Uint8Array | undefined;
  for (let round = 0; round < ROUNDS && isIdle(); round++) {
    if (stream === undefined) {
      const encoder = new HTJ2KEncoder();
      try {
        const about = { width: SIDE, height: SIDE, bitsPerSample: 16, componentCount: 1, isSigned: true, isUsingColorTransform: false };
        const bytes = encoder.getDecodedBuffer(about);
        draw(new Int16Array(bytes.buffer, bytes.byteOffset, SIDE * SIDE));
        encoder.encode();
        stream = encoder.getEncodedBuffer().slice();
      } finally {
        encoder.delete();
      }
    } else {
      const decoder = new HTJ2KDecoder();
      try {
        decoder.getEncodedBuffer(stream.length).set(stream);
        decoder.decodeSubResolution(0);
      } finally {
        decoder.delete();
      }
    }
    await pause(0); // a job that came meanwhile is next
  }
}

/** A slope with noise on it: as many bits a pixel as of a CT. */
function draw(values: Int16Array): void {
  let seed = 1;
  for (let at = 0; at < values.length; at++) {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    values[at] = (at % SIDE) * 4 + ((seed >> 16) & 63);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}

// A worker that decodes frames, one after the other.
import { decodeHtj2k, openJph } from './htj2k';
import type { DecodeAnswer, DecodeJob } from './job';
import { decodeNative } from './native';
import { warm } from './warm';
import { byteCount } from '../image/pixels';

const scope = self as unknown as {
  onmessage: ((event: MessageEvent<DecodeJob>) => void) | null;
  postMessage(answer: DecodeAnswer, transfer: Transferable[]): void;
};

let hasWorked = false;
void warm(() => !hasWorked).catch(() => undefined); // where it cannot be loaded, the job that needs it says why

scope.onmessage = (event) => {
  hasWorked = true;
  void answer(event.data);
};

async function answer(job: DecodeJob): Promise<void> {
  try {
    const { coding, bytes, size, room } = job;
    if (coding.form === 'htj2k') await openJph();
    const began = performance.now();
    const pixels = coding.form === 'htj2k' ? await decodeHtj2k(coding, bytes, size, room) : decodeNative(coding, bytes);
    if (byteCount(pixels) === 0) throw new Error('a frame without pixels');
    const content = pixels.kind === 'grey' ? pixels.values : pixels.rgba;
    const ms = performance.now() - began;
    scope.postMessage({ number: job.number, pixels, ms, spare: bytes.buffer }, ['close' in content ? content : content.buffer, bytes.buffer]);
  } catch (error) {
    scope.postMessage({ number: job.number, error: error instanceof Error ? error.message : String(error) }, []);
  }
}

// A worker that holds a copy of the block and casts rays through it, one band after the other.
import { Block } from './block';
import type { Answer, Told } from './job';

const scope = self as unknown as {
  onmessage: ((event: MessageEvent<Told>) => void) | null;
  postMessage(answer: Answer, transfer: Transferable[]): void;
};

let block: Block | undefined; // a worker is one block's

scope.onmessage = ({ data }) => {
  if ('plan' in data) block = new Block(data.plan);
  else if ('frame' in data) block?.put(data.frame);
  else if ('look' in data) block?.see(data.look);
  else {
    const { number } = data.band;
    try {
      if (block === undefined) throw new Error('there is no block');
      const began = performance.now();
      const rgba = block.cast(data.band);
      scope.postMessage({ number, rgba, ms: performance.now() - began }, [rgba.buffer]);
    } catch (error) {
      scope.postMessage({ number, error: error instanceof Error ? error.message : String(error) }, []);
    }
  }
};

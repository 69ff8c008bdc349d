// The series that are open: each once, however many cells show it, and closed when none does.
import type { SeriesRef } from '../../contract';
import type { FrameLoader } from '../load/loader';
import type { Frames } from '../load/frames';
import { PlaneStack } from '../load/planes';
import { FrameStack } from '../load/stack';
import { isMadeOf } from '../volume/desk';
import { VolumeRendering } from '../volume/rendering';

export class OpenSeries {
  private readonly stacks = new Map<string, FrameStack>();

  /** @param failed hears why a series cannot be shown at all */
  constructor(
    private readonly loader: FrameLoader,
    private readonly failed: (error: Error) => void,
  ) {}

  /** The frames of a series, which is opened if it is not. */
  stack(name: SeriesRef): FrameStack {
    const found = this.found(name);
    if (found !== undefined) return found;
    const stack = this.loader.stack(name.study, name.series);
    this.stacks.set(keyOf(name), stack);
    stack.ready.catch((error: unknown) => {
      if (this.found(name) === stack) this.failed(error instanceof Error ? error : new Error(String(error))); // else it was closed before
    });
    return stack;
  }

  found(name: SeriesRef): FrameStack | undefined {
    return this.stacks.get(keyOf(name));
  }

  /** The next who asks for that series has it opened anew. */
  forget(stack: FrameStack): void {
    if (this.found(stack) === stack) this.stacks.delete(keyOf(stack));
  }

  /** A series that no cell shows any more is closed; what it held is given back. */
  release(shownBefore: Frames | undefined, shown: readonly (Frames | undefined)[]): void {
    if (shownBefore instanceof VolumeRendering) {
      shownBefore.close();
      this.release(shownBefore.stack, shown);
      return;
    }
    if (shownBefore instanceof PlaneStack) {
      const { block } = shownBefore;
      if (!shown.some((one) => one instanceof PlaneStack && one.block === block)) {
        block.close();
        this.release(block.stack, shown);
      }
      return;
    }
    const stack = shownBefore instanceof FrameStack ? shownBefore : undefined;
    if (stack === undefined || shown.includes(stack) || shown.some((one) => isMadeOf(one, stack))) return;
    this.forget(stack);
    this.loader.close(stack);
  }
}

function keyOf({ study, series }: SeriesRef): string {
  return `${study} ${series}`;
}

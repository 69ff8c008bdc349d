// Planes of the body that are cut through a series: which of them stand beside it, and how thick they are.
import { isParallel } from '../geometry/planes';
import { Block, PlaneStack } from '../load/planes';
import type { FrameStack } from '../load/stack';
import type { Viewport } from '../viewport/viewport';

const SLAB_MM = 20;

/** The two planes of the body that a series is not cut in itself; undefined where it is no volume. */
export function planesAcross(stack: FrameStack): PlaneStack[] | undefined {
  const block = Block.of(stack);
  if (block === undefined) return undefined;
  const own = stack.frames[0]?.header.plane;
  const all = (['axial', 'coronal', 'sagittal'] as const).map((name) => new PlaneStack(block, name));
  return all.filter(({ frames }) => own === undefined || !frames[0]?.header.plane || !isParallel(own, frames[0].header.plane)).slice(0, 2);
}

/** Slabs of largest values, where there are planes that are cut here; and planes again. */
export function toggleSlab(viewports: readonly Viewport[]): void {
  for (const { stack } of viewports) if (stack instanceof PlaneStack) stack.slab = stack.slab === 0 ? SLAB_MM : 0;
}

// Frames of a series on their way to the casters: each goes as soon as it is finer than what they have.
import { storedRange, type FrameHeader } from '../dicom/frame';
import type { Volume } from '../geometry/volume';
import { halved } from '../image/pixels';
import type { FrameStack } from '../load/stack';
import { CAST_BYTES_MAX, type Caster } from './casters';
import type { Plan } from './job';

export function planOf(volume: Volume, header: FrameHeader): Plan {
  const [columns, rows, count] = volume.axes.map((axis) => axis.count) as [number, number, number];
  let halvings = 0;
  while (2 * halved(columns, halvings) * halved(rows, halvings) * count > CAST_BYTES_MAX) halvings++;
  const pitch = 2 ** halvings;
  const range = storedRange(header);
  return {
    sizes: [halved(columns, halvings), halved(rows, halvings), count],
    halvings,
    steps: [volume.axes[0].step * pitch, volume.axes[1].step * pitch, volume.axes[2].step],
    isSigned: header.isSigned,
    empty: header.slope < 0 ? range[1] : range[0],
    range,
  };
}

/** The volume as its block is: where sides are halved, its last samples may stand a little inside. */
export function blockOf(volume: Volume, { sizes, steps }: Plan): Volume {
  const axes = volume.axes.map((axis, at) => ({ ...axis, count: sizes[at] ?? axis.count, step: steps[at] ?? axis.step }));
  return { ...volume, axes: axes as unknown as Volume['axes'] };
}

/** Which frames stand where, and which way they take: with another one the block is another, too. */
function arrangement({ frames }: FrameStack): string {
  return frames.map(({ key, route }) => `${key} ${route.kind}`).join('\n');
}

/** @param fed a frame has become finer; rearranged: the series has other frames now */
export class Feed {
  private readonly had: Float64Array; // halvings of the finest that was put in; Infinity: none
  private readonly off: () => void;
  /** Rises with every frame. */
  version = 0;

  constructor(
    private readonly stack: FrameStack,
    private readonly header: FrameHeader,
    private readonly plan: Plan,
    private readonly casters: Caster,
    private readonly fed: (position: number) => void,
    private readonly rearranged: () => void,
  ) {
    this.had = new Float64Array(stack.frames.length).fill(Infinity);
    const before = arrangement(stack);
    this.off = stack.on((position) => {
      if (position === undefined) {
        if (arrangement(stack) !== before) this.rearranged();
      } else if (this.take(position)) this.fed(position);
    });
    for (let position = 0; position < this.had.length; position++) this.take(position);
  }

  /** How fine a frame is in the block. */
  fineness(position: number): number {
    return this.had[position] ?? Infinity;
  }

  get isExact(): boolean {
    return this.had.every((halvings) => halvings === 0);
  }

  get isEmpty(): boolean {
    return this.had.every((halvings) => halvings === Infinity);
  }

  close(): void {
    this.off();
  }

  private take(position: number): boolean {
    const frame = this.stack.frames[position];
    const pixels = this.stack.best(position);
    if (frame === undefined || pixels?.kind !== 'grey') return false;
    const level = Math.max(pixels.halvings, this.plan.halvings);
    if (level >= this.fineness(position)) return false;
    this.had[position] = level;
    this.version++;
    const { width, height, halvings, values } = pixels;
    const { slope, intercept } = frame.header;
    this.casters.put({
      position,
      width,
      height,
      halvings,
      // A copy goes to each worker, and no more than the frame of it.
      values: values.byteLength === values.buffer.byteLength ? values : values.slice(),
      factor: slope / this.header.slope,
      offset: (intercept - this.header.intercept) / this.header.slope,
      padding: frame.header.padding,
    });
    return true;
  }
}

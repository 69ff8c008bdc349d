// Planes that are cut through a series, as frames: from the first coarse images on, finer as they become finer.
import type { StreamViewport } from '@voxcast/client';
import type { FrameHeader } from '../dicom/frame';
import { cutOf, placeOf, volumeOf, type Cut, type PlaneName, type Volume } from '../geometry/volume';
import type { Pixels } from '../image/pixels';
import type { Frames, Looking } from './frames';
import type { FrameLoader } from './loader';
import type { Fineness, FrameStack, StackFrame } from './stack';
import { Voxels } from './voxels';

const KEPT_MAX = 24;

/** A series as a volume, and the header whose rescale its block has; undefined where it is none of grey values that are decoded here. */
export function volumeIn(stack: FrameStack): { volume: Volume; header: FrameHeader } | undefined {
  const headers = stack.frames.map(({ header }) => header);
  const volume = volumeOf(headers);
  const isDecoded = stack.frames.every(({ route }) => route.kind === 'stream' && route.coding.samplesPerPixel === 1);
  // Of the largest slope, so that no value leaves the range.
  const header = headers.reduce<FrameHeader | undefined>((most, one) => (most === undefined || Math.abs(one.slope) > Math.abs(most.slope) ? one : most), undefined);
  if (volume === undefined || header === undefined || !isDecoded || headers.some((one) => one.hasModalityLut)) return undefined;
  return { volume, header };
}

/** The block of a series, which its cuts share. */
export class Block {
  readonly voxels: Voxels;
  private readonly listeners = new Set<() => void>();
  private readonly off: () => void;
  private told: { version: number; fineness: Fineness } | undefined;
  /** Rises with every change. */
  version = 0;
  /** Where the frames lie in it, by key: what comes into the series later is no part of the block. */
  private readonly slots: ReadonlyMap<string, number>;

  private constructor(
    readonly stack: FrameStack,
    readonly volume: Volume,
    readonly header: FrameHeader,
  ) {
    this.voxels = new Voxels(volume, header);
    this.slots = new Map(stack.frames.map(({ key }, position) => [key, position]));
    this.off = stack.on((position) => this.changed(position));
    for (let position = 0; position < stack.frames.length; position++) this.take(position);
  }

  /** Undefined where a series is no volume of grey values that are decoded here. */
  static of(stack: FrameStack): Block | undefined {
    const found = volumeIn(stack);
    return found === undefined ? undefined : new Block(stack, found.volume, found.header);
  }

  /** Of the coarsest frame. */
  get fineness(): Fineness {
    if (this.told?.version !== this.version) {
      const most = [...this.slots.values()].reduce((coarsest, slot) => Math.max(coarsest, this.voxels.fineness(slot)), 0);
      this.told = { version: this.version, fineness: most === 0 ? 'exact' : most === Infinity ? 'missing' : 'coarse' };
    }
    return this.told.fineness;
  }

  on(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  close(): void {
    this.off();
    this.listeners.clear();
  }

  /** How often the sides of what it has of a frame of the series are halved; 0 also for a frame that is no part of it. */
  halvings(position: number): number {
    const slot = this.slots.get(this.stack.frames[position]?.key ?? '');
    return slot === undefined ? 0 : this.voxels.fineness(slot);
  }

  private changed(position: number | undefined): void {
    if (position !== undefined) this.take(position);
  }

  private take(position: number): void {
    const frame = this.stack.frames[position];
    const pixels = this.stack.best(position);
    const slot = this.slots.get(frame?.key ?? '');
    if (frame === undefined || slot === undefined || pixels?.kind !== 'grey' || !this.voxels.put(slot, pixels, frame.header)) return;
    this.version++;
    for (const listener of [...this.listeners]) listener();
  }
}

export class PlaneStack implements Frames {
  readonly study: string;
  readonly series: string;
  readonly frames: readonly StackFrame[];
  readonly failures = new Map<string, string>();
  /** Millimetres of a slab whose largest values are shown; 0: one plane. */
  slab = 0;
  private readonly cut: Cut;
  private readonly kept = new Map<number, { version: number; slab: number; pixels: Pixels }>();

  constructor(
    readonly block: Block,
    readonly name: PlaneName,
  ) {
    const { stack, volume } = block;
    this.study = stack.study;
    this.series = `${stack.series} ${name}`;
    this.cut = cutOf(volume, name);
    const count = block.voxels.sizes[this.cut.through.axis];
    this.frames = Array.from({ length: count }, (_, position) => this.frame(position));
  }

  best(position: number): Pixels | undefined {
    const found = this.kept.get(position);
    if (found !== undefined && found.version === this.block.version && found.slab === this.slab) return found.pixels;
    const step = this.pitch(this.cut.through.axis) * this.block.volume.axes[this.cut.through.axis].step;
    const pixels = this.block.voxels.plane(this.cut, position, Math.max(1, Math.round(this.slab / step)));
    if (pixels.halvings === Infinity) return undefined; // a frame of it has nothing yet
    this.kept.set(position, { version: this.block.version, slab: this.slab, pixels });
    if (this.kept.size > KEPT_MAX) this.kept.delete(this.kept.keys().next().value ?? -1);
    return pixels;
  }

  /** Every plane goes through all frames, or through one that is as fine as the others will be. */
  arrived(): Fineness {
    return this.block.fineness;
  }

  on(listener: (position: number | undefined) => void): () => void {
    let handle = 0;
    // A plane is cut anew once for each picture of the screen, however many frames have come.
    const off = this.block.on(() => {
      handle ||= requestAnimationFrame(() => {
        handle = 0;
        listener(undefined);
      });
    });
    return () => {
      cancelAnimationFrame(handle);
      off();
    };
  }

  redraw(): void {
    // Nothing of it is drawn by the server.
  }

  look(viewport: object, session: StreamViewport, loader: FrameLoader, { width, height }: Looking): void {
    const { stack, voxels } = this.block;
    session.look(stack.streaming, { position: Math.floor(stack.frames.length / 2), width, height, spread: 'volume' });
    loader.watch(viewport, { stack, position: 0, enough: voxels.halvings, velocity: 0, direction: 1, have: (position) => this.block.halvings(position) });
  }

  private pitch(axis: number): number {
    return axis === 2 ? 1 : 2 ** this.block.voxels.halvings;
  }

  private frame(position: number): StackFrame {
    const { cut, block } = this;
    const { volume, voxels, header } = block;
    const pitches = [this.pitch(cut.across.axis), this.pitch(cut.down.axis), this.pitch(cut.through.axis)] as const;
    // The first sample of a way that runs backwards is the last of the axis.
    const start = (sense: Cut['across'], index: number, pitch: number) => {
      const { count } = volume.axes[sense.axis];
      const size = voxels.sizes[sense.axis];
      return sense.sign > 0 ? index * pitch : count - 1 - (size - 1 - index) * pitch;
    };
    const place = placeOf(volume, cut, { across: start(cut.across, 0, pitches[0]), down: start(cut.down, 0, pitches[1]), through: start(cut.through, position, pitches[2]) });
    const [across, down] = [volume.axes[cut.across.axis], volume.axes[cut.down.axis]];
    const along = ({ direction }: typeof across, sign: number) => [direction[0] * sign, direction[1] * sign, direction[2] * sign] as const;
    const spacing = { column: across.step * pitches[0], row: down.step * pitches[1], isAtDetector: false };
    const [columns, rows] = [voxels.sizes[cut.across.axis], voxels.sizes[cut.down.axis]];
    const plane = { position: place, row: along(across, cut.across.sign), column: along(down, cut.down.sign), frameOfReferenceUid: volume.frameOfReferenceUid };
    const entry = { sopInstanceUid: '', frameNumber: position + 1, rows, columns, transferSyntaxUid: '', photometricInterpretation: 'MONOCHROME2', bits: 0, ends: [], small: 0 };
    const own = { ...header, rows, columns, plane, spacing, pixelAspect: spacing.row / spacing.column, frameCount: 1, frameNumber: position + 1, sopInstanceUid: '', instanceNumber: undefined };
    return { key: `${this.series} ${position}`, entry, header: own, route: { kind: 'plane' } };
  }
}

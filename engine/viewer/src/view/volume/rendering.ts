// A series as a volume that is seen from anywhere: a picture that is cast in workers, as a frame like others, from the first coarse images on.
import type { StreamViewport } from '@voxcast/client';
import { storedRange, type FrameHeader } from '../dicom/frame';
import type { Size } from '../draw/camera';
import { automaticWindow } from '../image/automatic';
import { halved, type ColourPixels, type Pixels } from '../image/pixels';
import type { Frames } from '../load/frames';
import type { FrameLoader } from '../load/loader';
import { volumeIn } from '../load/planes';
import type { Fineness, FrameStack, StackFrame } from '../load/stack';
import type { Volume } from '../geometry/volume';
import { cardFor } from './card';
import { Casters, copiesOf, type Caster } from './casters';
import { blockOf, Feed, planOf } from './feed';
import type { Plan } from './job';
import { lookOf, type Look, type Preset, type Scale } from './look';
import { millimetres, viewOf } from './orbit';
import { Passes, type Sight } from './passes';
import { volumePresets } from './presets';
import { AT_FIRST, type VolumeState } from './state';
import type { Words, WordKey } from '../words';

interface Engine {
  readonly casters: Caster;
  readonly feed: Feed;
  readonly passes: Passes<VolumeState>;
}

export class VolumeRendering implements Frames {
  readonly study: string;
  readonly series: string;
  readonly failures = new Map<string, string>();
  readonly presets: readonly Preset[];
  private plan!: Plan;
  private block!: Volume;
  private header: FrameHeader;
  private readonly key: string;
  private readonly listeners = new Set<(position: number | undefined) => void>();
  private readonly watchers = new Set<() => void>();
  private engine: Engine | undefined;
  private now: VolumeState = AT_FIRST;
  private size: Size = { width: 0, height: 0 };
  private version = 0;
  private range: { readonly of: readonly [number, number]; readonly isExact: boolean } | undefined;
  private seen: Look | undefined; // of the state now
  private drawn: { readonly state: VolumeState; readonly size: Size; readonly pixels: ColourPixels } | undefined;
  private made: { readonly state: VolumeState; readonly size: Size; readonly frame: StackFrame } | undefined;
  private isClosed = false;

  private constructor(
    readonly stack: FrameStack,
    volume: Volume,
    header: FrameHeader,
    private readonly sizeNow: () => Size,
    private readonly byCard: boolean,
    private readonly noVolume: string,
  ) {
    this.header = header;
    this.study = stack.study;
    this.series = `${stack.series} volume`;
    this.key = this.series;
    this.presets = volumePresets(header);
    this.start(volume, header);
  }

  /**
   * Undefined where a series is no volume of grey values that are decoded here.
   * @param sizeNow of the viewport, in device pixels
   * @param byCard the graphics card casts, where it can hold the block
   * @param noVolume words for a series that is no volume any more
   */
  static of(stack: FrameStack, sizeNow: () => Size, byCard: boolean, noVolume: string): VolumeRendering | undefined {
    const found = volumeIn(stack);
    return found === undefined ? undefined : new VolumeRendering(stack, found.volume, found.header, sizeNow, byCard, noVolume);
  }

  get state(): VolumeState {
    return this.now;
  }

  get preset(): Preset {
    return this.presetOf(this.now);
  }

  /** A header of the series: whose it is. */
  get about(): FrameHeader {
    return this.header;
  }

  /** Directions of the volume's axes in the patient. */
  get axes(): Volume['axes'] {
    return this.block.axes;
  }

  /** How what is on the screen is seen: the hand may be further by now. */
  get shown(): VolumeState {
    return this.drawn?.state ?? this.now;
  }

  /** What is on the screen, in words: a rendering is never taken for an image. */
  title(words: Words): string {
    const { kept } = this.shown;
    const { name } = this.presetOf(this.shown);
    const isCut = kept.some(([low, high]) => low > 0 || high < 1);
    return words(isCut ? 'volume.title_cut' : 'volume.title', { preset: words(`volume.${name}` as WordKey) });
  }

  /** What its values mean; undefined while nothing says it yet. */
  get scale(): Scale | undefined {
    const { slope, intercept } = this.header;
    const isAbsolute = !this.preset.isRelative;
    const range = isAbsolute ? ([0, 1] as const) : this.range?.of;
    return range === undefined ? undefined : { slope, intercept, range };
  }

  /** See it in another way. */
  change(to: Partial<VolumeState>): void {
    const before = this.now;
    this.now = { ...before, ...to };
    this.version++;
    if (this.now.preset !== before.preset || this.now.shift !== before.shift) this.seen = undefined;
    for (const watcher of [...this.watchers]) watcher();
    this.engine?.passes.pump();
  }

  /** Hear of changes of the state. */
  watch(watcher: () => void): () => void {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }

  /** The picture that there is, with the letters that are its own: not those of where the hand is by now. */
  get frames(): readonly StackFrame[] {
    const { state, size } = this.drawn ?? { state: this.now, size: this.size };
    if (this.made?.state !== state || this.made.size !== size) this.made = { state, size, frame: this.frame(state, size) };
    return [this.made.frame];
  }

  best(): Pixels | undefined {
    return this.drawn?.pixels;
  }

  arrived(): Fineness {
    const { feed } = this.engine ?? {};
    return feed === undefined || feed.isEmpty ? 'missing' : feed.isExact ? 'exact' : 'coarse';
  }

  on(listener: (position: number | undefined) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  redraw(): void {
    // Nothing of it is drawn by the server.
  }

  look(viewport: object, session: StreamViewport, loader: FrameLoader): void {
    // After a failure the reader tries again.
    if (this.engine === undefined && !this.failures.has(this.key) && !this.isClosed) this.restart();
    const { stack, plan } = this;
    const [width, height] = [halved(this.header.columns, plan.halvings), halved(this.header.rows, plan.halvings)];
    session.look(stack.streaming, { position: Math.floor(stack.frames.length / 2), width, height, spread: 'volume' });
    loader.watch(viewport, { stack, position: 0, enough: plan.halvings, velocity: 0, direction: 1, have: (position) => this.engine?.feed.fineness(position) ?? Infinity });
    const size = this.sizeNow();
    if (size.width === this.size.width && size.height === this.size.height) return;
    this.size = size;
    this.version++;
    this.engine?.passes.pump();
  }

  /** What the workers hold is given back. */
  close(): void {
    this.isClosed = true;
    this.stop();
    this.drawn = undefined;
    this.listeners.clear();
    this.watchers.clear();
  }

  private start(volume: Volume, header: FrameHeader): void {
    this.header = header;
    const plan = planOf(volume, header);
    this.plan = plan;
    this.block = blockOf(volume, plan);
    const bytes = 2 * plan.sizes[0] * plan.sizes[1] * plan.sizes[2];
    const failed = (error: Error) => this.failed(error.message);
    const casters = (this.byCard ? cardFor(plan, failed) : undefined) ?? new Casters(plan, copiesOf(bytes, navigator.hardwareConcurrency || 2), failed);
    const feed = new Feed(this.stack, header, plan, casters, (position) => this.fed(position), () => this.restart());
    const passes = new Passes<VolumeState>(casters, () => this.sight(), ({ sight, pixels }) => this.show(sight, pixels));
    this.engine = { casters, feed, passes };
    this.version++;
    this.seen = undefined;
    this.measure();
    passes.pump();
  }

  /** From the frames that the series has now. */
  private restart(): void {
    this.stop();
    this.drawn = undefined;
    this.range = undefined;
    const found = volumeIn(this.stack);
    if (found === undefined) this.failed(this.noVolume);
    else {
      this.start(found.volume, found.header);
      this.emit();
    }
  }

  private stop(): void {
    const { engine } = this;
    this.engine = undefined;
    engine?.feed.close();
    engine?.passes.close();
    engine?.casters.close();
  }

  private failed(why: string): void {
    if (this.isClosed) return;
    this.stop();
    this.drawn = undefined;
    this.failures.set(this.key, why);
    this.emit();
  }

  private fed(position: number): void {
    if (position === this.middle) this.measure();
    this.engine?.passes.pump();
  }

  private get middle(): number {
    return Math.floor(this.stack.frames.length / 2);
  }

  /** The range of its values, where presets go by that: from the middle frame, once coarse and once exact. */
  private measure(): void {
    const pixels = this.stack.best(this.middle);
    const header = this.stack.frames[this.middle]?.header;
    if (pixels?.kind !== 'grey' || header === undefined || this.range?.isExact === true) return;
    const { slope, intercept, padding } = header;
    const { center, width } = automaticWindow('percentiles', pixels, { slope, intercept, padding, range: storedRange(header) });
    this.range = { of: [center - width / 2, center + width / 2], isExact: pixels.halvings === 0 };
    if (!this.preset.isRelative) return;
    this.version++;
    this.seen = undefined;
  }

  private presetOf({ preset }: VolumeState): Preset {
    return this.presets.find(({ name }) => name === preset) ?? (this.presets[0] as Preset);
  }

  private sight(): Sight<VolumeState> | undefined {
    const { engine, size, now, scale } = this;
    if (engine === undefined || engine.feed.isEmpty || scale === undefined || size.width < 1 || size.height < 1) return undefined;
    this.seen ??= lookOf(this.preset, now.shift, scale);
    const view = viewOf(now.orbit, this.block, size, now.kept);
    return { state: now, view, look: this.seen, size, version: this.version, voxels: engine.feed.version, isExact: engine.feed.isExact };
  }

  private show({ state, size }: Sight<VolumeState>, pixels: ColourPixels): void {
    this.drawn = { state, size, pixels };
    this.emit();
  }

  private emit(): void {
    for (const listener of [...this.listeners]) listener(0);
  }

  private frame({ orbit }: VolumeState, size: Size): StackFrame {
    const { header, key } = this;
    const [columns, rows] = [Math.max(size.width, 1), Math.max(size.height, 1)];
    const pixel = millimetres(orbit, this.block, { width: columns, height: rows });
    const entry = { sopInstanceUid: '', frameNumber: 1, rows, columns, transferSyntaxUid: '', photometricInterpretation: 'RGB', bits: 0, ends: [], small: 0 };
    const own: FrameHeader = {
      ...header, rows, columns, samplesPerPixel: 3, photometricInterpretation: 'RGB', windows: [], isInverted: false, hasVoiLut: false, padding: undefined,
      // It has letters and a scale; of no space, so that nothing is cut or scrolled by it.
      plane: { position: [0, 0, 0], row: orbit.right, column: orbit.down, frameOfReferenceUid: '' },
      spacing: { row: pixel, column: pixel, isAtDetector: false }, pixelAspect: 1, frameCount: 1, frameNumber: 1, sopInstanceUid: '', instanceNumber: undefined,
    };
    return { key, entry, header: own, route: { kind: 'plane' } };
  }
}

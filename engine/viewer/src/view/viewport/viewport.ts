// One place of the layout: a series, the frame of it that is shown, and how. Draws nothing by itself (screen.ts does).
import type { StreamViewport } from '@voxcast/client';
import type { FrameHeader } from '../dicom/frame';
import { mirrored, scaleOf, STANDARD, toImage, toScreen, turned, zoomed, type Camera, type Extent, type Size } from '../draw/camera';
import { multiply, type Matrix, type Point } from '../draw/matrix';
import type { Picture } from '../draw/painter';
import type { Pixels } from '../image/pixels';
import type { Window } from '../image/windows';
import type { FrameLoader } from '../load/loader';
import type { Frames } from '../load/frames';
import type { StackFrame } from '../load/stack';
import { GreyScale, type Greys, type StateGreys } from './greys';
import { Hand } from './hand';

/** What is on the screen at this moment: all that is said beside the image is said of this. */
export interface Shown {
  readonly stack: Frames;
  readonly frame: StackFrame;
  readonly position: number;
  readonly pixels: Pixels | undefined;
  readonly greys: Greys | undefined;
  /** Why there is no image and will be none; empty otherwise. */
  readonly trouble: string;
}

/** A presentation state as it is applied to the frames of one series. */
export interface Presentation {
  readonly name: string;
  holds(key: string): boolean;
  /** Of a grey frame that it is for. */
  greysOf(key: string): StateGreys | undefined;
  /** What hides parts of a frame and what is laid over it, a pixel for each of the image; undefined: nothing, or not there yet. */
  coverOf(frame: StackFrame): HTMLCanvasElement | undefined;
}

const FIRST_REACH = 2; // until something is shown: a series that comes at once would take the processors that show its first image

export class Viewport {
  camera: Camera = STANDARD;
  /** The reader's; undefined: as the header says, or what is usual. */
  window: Window | undefined;
  isTurnedWhite = false; // black and white changed
  private presentation: Presentation | undefined;
  size: Size = { width: 1, height: 1 };
  shown: Shown | undefined;
  private current: Frames | undefined;
  private place = 0;
  private looked = ''; // key of the frame at that place
  private hasShown = false; // anything of this series, or why there is nothing
  private scale: GreyScale | undefined;
  private readonly hand = new Hand();
  private restTimer: ReturnType<typeof setTimeout> | undefined;
  private off: () => void = () => undefined;

  /**
   * @param changed something is to be drawn anew
   * @param moved another position is shown
   * @param arrived something has come of a frame that is not shown
   */
  constructor(
    private readonly loader: FrameLoader,
    private readonly session: StreamViewport,
    private readonly changed: () => void,
    private readonly moved: (viewport: Viewport) => void,
    private readonly arrived: () => void,
  ) {}

  get stack(): Frames | undefined {
    return this.current;
  }

  get position(): number {
    return this.place;
  }

  get count(): number {
    return this.current?.frames.length ?? 0;
  }

  get frame(): StackFrame | undefined {
    return this.current?.frames[this.place];
  }

  get header(): FrameHeader | undefined {
    return this.frame?.header;
  }

  /** Another series, from a position on; undefined: none. */
  show(stack: Frames | undefined, position = 0): void {
    this.off();
    this.session.close();
    this.loader.unwatch(this);
    this.current = stack;
    this.place = position;
    this.looked = stack?.frames[position]?.key ?? '';
    this.shown = undefined;
    this.hasShown = false;
    this.camera = STANDARD;
    this.window = undefined;
    this.isTurnedWhite = false;
    this.presentation = undefined;
    this.hand.jumped();
    if (stack !== undefined) {
      this.scale = new GreyScale(() => this.changed());
      this.off = stack.on((at) => {
        if (at === undefined) this.stay();
        if (at === undefined || at === this.place) this.changed();
        else this.arrived();
      });
      this.look();
    }
    this.changed();
  }

  /** Images have come or gone before the one that is looked at: it is still that one, wherever it is now. */
  private stay(): void {
    const frames = this.current?.frames ?? [];
    const at = this.looked === '' || frames[this.place]?.key === this.looked ? this.place : frames.findIndex(({ key }) => key === this.looked);
    this.go(at < 0 ? this.place : at, true);
  }

  /** Go to a position, the nearest there is; `isJump`: not a step of a hand that scrolls. */
  go(position: number, isJump = false): void {
    const { current } = this;
    if (current === undefined) return;
    const last = Math.max(this.count - 1, 0);
    const to = this.count === 0 ? position : Math.min(Math.max(Math.round(position), 0), last);
    const hasMoved = to !== this.place;
    this.place = to;
    this.looked = this.frame?.key ?? '';
    if (isJump) this.hand.jumped();
    else if (hasMoved) this.hand.moved(to, performance.now());
    this.look();
    if (!hasMoved) return;
    clearTimeout(this.restTimer);
    this.restTimer = setTimeout(() => this.look(), this.hand.restMs + 2);
    this.changed();
    this.moved(this);
  }

  step(count: number): void {
    this.go(this.place + count);
  }

  /** The greys as they are at first: for automatic ones, of the frame that is shown now. */
  resetWindow(): void {
    this.window = undefined;
    this.scale?.renew();
    this.redrawn();
  }

  setWindow(window: Window): void {
    this.window = window;
    this.redrawn();
  }

  turnWhite(): void {
    this.isTurnedWhite = !this.isTurnedWhite;
    this.changed();
  }

  turn(): void {
    this.camera = turned(this.camera);
    this.relook();
  }

  mirror(): void {
    this.camera = mirrored(this.camera);
    this.changed();
  }

  /** By another camera. */
  seen(camera: Camera): void {
    this.camera = camera;
    this.relook();
  }

  /** Greys, shutter and overlays as a state wants them, until the reader chooses a window; undefined: as the headers say. */
  present(presentation: Presentation | undefined): void {
    this.presentation = presentation;
    this.window = undefined;
    this.isTurnedWhite = false;
    this.redrawn();
  }

  /** The picture is on the screen. */
  drawn(): void {
    if (this.hasShown || this.shown === undefined || (this.shown.pixels === undefined && this.shown.trouble === '')) return;
    this.hasShown = true;
    this.look();
  }

  redraw(): void {
    this.changed();
  }

  /** The state that the frame is seen through. */
  get presented(): Presentation | undefined {
    return this.presentation?.holds(this.frame?.key ?? '') === true ? this.presentation : undefined;
  }

  /** Over what is shown. */
  get cover(): HTMLCanvasElement | undefined {
    return this.shown?.pixels === undefined ? undefined : this.presented?.coverOf(this.shown.frame);
  }

  fit(): void {
    this.camera = { ...this.camera, zoom: undefined, pan: { x: 0, y: 0 } };
    this.relook();
  }

  /** A pixel of the image is one of the screen. */
  oneToOne(): void {
    this.camera = { ...this.camera, zoom: 1 / devicePixelRatio, pan: { x: 0, y: 0 } };
    this.relook();
  }

  zoom(factor: number, around: Point): void {
    if (this.extent === undefined) return;
    this.camera = zoomed(this.camera, this.extent, this.size, factor, around);
    this.relook();
  }

  pan(across: number, down: number): void {
    this.camera = { ...this.camera, pan: { x: this.camera.pan.x + across, y: this.camera.pan.y + down } };
    this.changed();
  }

  get extent(): Extent | undefined {
    const { frame } = this;
    return frame === undefined ? undefined : { columns: frame.entry.columns, rows: frame.entry.rows, aspect: frame.header.pixelAspect };
  }

  /** Screen pixels for one column of the image. */
  get scaleNow(): number {
    return this.extent === undefined ? 1 : scaleOf(this.camera, this.extent, this.size);
  }

  /** How often the sides of a frame may be halved and still have a pixel for each of the screen. */
  get enough(): number {
    const side = Math.max(this.scaleNow * devicePixelRatio, 1e-6);
    return Math.max(0, Math.floor(Math.log2(1 / side) + 1e-6));
  }

  /** From pixels of the image to those of the viewport's element. */
  get matrix(): Matrix | undefined {
    return this.extent === undefined ? undefined : toScreen(this.camera, this.extent, this.size);
  }

  imagePoint(at: Point): Point | undefined {
    return this.extent === undefined ? undefined : toImage(this.camera, this.extent, this.size, at);
  }

  resize(size: Size): void {
    if (size.width === this.size.width && size.height === this.size.height) return;
    this.size = size;
    this.relook();
  }

  /** Another try for a frame that could not be shown. */
  retry(): void {
    const { frame } = this;
    if (frame !== undefined) this.current?.failures.delete(frame.key);
    this.look();
    this.changed();
  }

  /** What is to be drawn now; sets `shown`. */
  picture(): Picture | undefined {
    const { current, frame, place } = this;
    this.shown = undefined;
    if (current === undefined || frame === undefined) return undefined;
    const pixels = current.best(place);
    let greys: Greys | undefined;
    let trouble = pixels === undefined ? (current.failures.get(frame.key) ?? '') : '';
    if (pixels?.kind === 'grey') {
      try {
        greys = this.scale?.of(frame.header, pixels, this.window, this.isTurnedWhite, this.presented?.greysOf(frame.key));
      } catch (error) {
        trouble = error instanceof Error ? error.message : String(error);
      }
    }
    const isReady = pixels !== undefined && trouble === '' && (pixels.kind === 'colour' || greys !== undefined);
    this.shown = { stack: current, frame, position: place, pixels: isReady ? pixels : undefined, greys, trouble };
    if (!isReady || this.matrix === undefined) return undefined;
    const device = devicePixelRatio;
    const toDevice = multiply({ a: device, b: 0, c: 0, d: device, e: 0, f: 0 }, this.matrix);
    const { columns, rows } = frame.entry;
    return { pixels, columns, rows, toScreen: toDevice, isInverted: this.isTurnedWhite, ...(greys === undefined ? {} : { greys }) };
  }

  close(): void {
    clearTimeout(this.restTimer);
    this.off();
    this.session.close();
    this.loader.unwatch(this);
    this.current = undefined;
  }

  /** Tell the server and the decoders what is looked at. */
  look(): void {
    const { current, place } = this;
    if (current === undefined) return;
    const velocity = this.hand.velocity(performance.now());
    const { direction } = this.hand;
    const { extent, enough } = this;
    const side = this.scaleNow * devicePixelRatio;
    const width = Math.max(1, Math.round((extent?.columns ?? this.size.width) * side));
    const height = Math.max(1, Math.round((extent?.rows ?? this.size.height) * side));
    const looking = { position: place, width, height, enough, velocity, direction };
    current.look(this, this.session, this.loader, this.hasShown || velocity !== 0 ? looking : { ...looking, reach: FIRST_REACH });
  }

  private relook(): void {
    this.look();
    this.changed();
  }

  /** What the server draws, it has to draw anew. */
  private redrawn(): void {
    const { current, frame } = this;
    const stated = this.presented?.greysOf(frame?.key ?? '')?.voi;
    const window = this.window ?? (stated !== undefined && 'width' in stated ? stated : undefined);
    if (current !== undefined && frame?.route.kind === 'picture' && frame.header.photometricInterpretation.startsWith('MONOCHROME')) {
      const shape = { LINEAR: 'linear', LINEAR_EXACT: 'linear-exact', SIGMOID: 'sigmoid' };
      current.redraw(window === undefined ? '' : `window=${window.center},${window.width},${shape[window.shape]}`);
    }
    this.changed();
  }
}

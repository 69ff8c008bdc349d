// Frames in an order, as a viewport shows them: a series as it was stored, or planes that are cut through one.
import type { StreamViewport } from '@voxcast/client';
import type { Pixels } from '../image/pixels';
import type { FrameLoader } from './loader';
import type { Fineness, StackFrame } from './stack';

/** What a viewport shows, and how its hand moves. */
export interface Looking {
  readonly position: number;
  /** Device pixels on which a whole frame is shown. */
  readonly width: number;
  readonly height: number;
  /** Halvings that its pixels can do with. */
  readonly enough: number;
  readonly velocity: number;
  readonly direction: -1 | 1;
  /** No frame further away is wanted yet; undefined: all are. */
  readonly reach?: number;
}

export interface Frames {
  readonly study: string;
  readonly series: string;
  readonly frames: readonly StackFrame[];
  /** Keys of frames that cannot be shown, and why. */
  readonly failures: Map<string, string>;
  /** The finest picture of a frame that there is by now. */
  best(position: number): Pixels | undefined;
  /** What has come of a frame, decoded or not. */
  arrived(position: number): Fineness;
  /** Hear of changes of a frame, or (undefined) of all; gives the function that ends it. */
  on(listener: (position: number | undefined) => void): () => void;
  /** What the server draws is wanted in another window. */
  redraw(query: string): void;
  /** A viewport looks at it: have what it needs sent and decoded. */
  look(viewport: object, session: StreamViewport, loader: FrameLoader, looking: Looking): void;
}

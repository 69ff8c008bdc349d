// What is decoded next, as far as the bytes have come: what is shown, what the hand comes to, a picture of every frame, the rest.
import type { FrameStack, StackFrame } from './stack';

/** What a viewport shows, and how. */
export interface Watch {
  readonly stack: FrameStack;
  readonly position: number;
  /** Halvings that its pixels can do with. */
  readonly enough: number;
  /** Positions a second; 0: the hand rests. */
  readonly velocity: number;
  readonly direction: -1 | 1;
  /** All frames are wanted alike, `enough` of each: how fine each is where it is wanted. */
  readonly have?: (position: number) => number;
}

/** A frame to be decoded, and how coarsely. */
export interface Choice {
  readonly stack: FrameStack;
  readonly frame: StackFrame;
  readonly position: number;
  readonly halvings: number;
}

/** What can be done at once, and what is being done. */
export interface Means {
  readonly workers: number;
  /** What a worker takes for an image of so many pixels. */
  ms(pixels: number): number;
  /** Halvings that a frame is being decoded to; Infinity when it is not. */
  busy(stack: FrameStack, frame: StackFrame): number;
  /** Bytes that there is room for in decoded frames. */
  readonly roomBytes: number;
}

const COARSE_SIDE = 128;
const NEAR_MS = 300; // what the hand comes to in this time is made as fine as all of it can be; what is beyond, as fine as needed
const SOON_MS = 100; // what the hand comes to in this time is decoded as far as it has come; what is beyond, once it is as fine as wanted
const AHEAD_MS = 1500;
const AHEAD_LEAST = 16;
const SUSTAINED = 0.7; // of the workers' time goes to what the hand passes
const BESIDE = 3; // so many on either side of a hand that rests come before the coarse pictures: a hand that starts finds them
const RESTING_PART = 0.85; // of the room for decoded frames
const JOB_MS = 1; // to a worker and back
const VOLUME_HALVINGS = 2; // a volume is usable so

export function nextOf(watches: readonly Watch[], means: Means): Choice | undefined {
  const stacks = watches.filter(({ have }) => have === undefined);
  const resting = stacks.filter(({ velocity }) => velocity === 0);
  const moving = stacks.filter(({ velocity }) => velocity !== 0).map((watch) => ({ watch, way: wayOf(watch, means) }));
  return (
    first(moving, ({ watch, way }) => blank(watch, way, means)) ??
    first(resting, (watch) => choice(watch, watch.position, 0, means)) ??
    first(moving, ({ watch, way }) => along(watch, way.late, way.soon, way.halvings, means)) ??
    first(moving, ({ watch, way }) => along(watch, way.soon, way.near, way.halvings, means, true)) ??
    around(resting, watches.length, means, BESIDE) ??
    // What is as fine as needed before the hand is there needs no coarse picture before; where there is no time for all, it does.
    first(moving, ({ watch, way }) => (way.halvings <= watch.enough ? along(watch, way.near, way.far, watch.enough, means, true) : undefined)) ??
    first(stacks, (watch) => coarse(watch, means)) ??
    first(watches, (watch) => (watch.have === undefined ? undefined : volume(watch, watch.have, means))) ??
    // Time that is left over goes to what is not begun yet: decoded once, and as fine as needed when the hand is there.
    first(moving, ({ watch, way }) => along(watch, way.near, way.far, watch.enough, means, true)) ??
    first(moving, ({ watch, way }) => along(watch, way.late, way.near, watch.enough, means, true)) ??
    around(resting, watches.length, means)
  );
}

function first<T>(all: readonly T[], find: (one: T) => Choice | undefined): Choice | undefined {
  for (const one of all) {
    const found = find(one);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** What a hand passes, in steps from where it is. */
interface Way {
  /** As fine as the workers can make every frame of it. */
  readonly halvings: number;
  /** Where the hand is when a frame that is begun now is ready. */
  readonly late: number;
  readonly soon: number;
  readonly near: number;
  readonly far: number;
}

function wayOf(watch: Watch, means: Means): Way {
  const { stack, position, velocity, enough } = watch;
  const entry = stack.frames[position]?.entry;
  if (entry === undefined) return { halvings: enough, late: 0, soon: 0, near: 0, far: 0 };
  const speed = Math.abs(velocity) / 1000;
  const ms = (halvings: number) => means.ms((entry.rows * entry.columns) / 4 ** halvings) + JOB_MS;
  let halvings = enough;
  while (halvings < entry.ends.length - 1 && ms(halvings) * speed > SUSTAINED * means.workers) halvings++;
  const late = Math.floor(speed * ms(halvings));
  const far = Math.min(Math.max(AHEAD_LEAST, Math.ceil(speed * AHEAD_MS)), Math.max(1, reach(watch, 1, means)));
  const after = (time: number) => late + Math.min(Math.max(1, Math.ceil(speed * time)), far);
  return { halvings, late, soon: after(SOON_MS), near: after(NEAR_MS), far: late + far };
}

/** The next frame on the hand's way that is not so fine; `isOnce`: that has come so, and need not be decoded again. */
function along(watch: Watch, from: number, to: number, halvings: number, means: Means, isOnce = false): Choice | undefined {
  const way = watch.velocity > 0 ? 1 : -1;
  for (let step = from; step < to; step++) {
    const found = choice(watch, watch.position + way * step, halvings, means);
    if (found !== undefined && !(isOnce && found.halvings > halvings)) return found;
  }
  return undefined;
}

/**
 * The next frame on the hand's way of which there is no picture at all: a coarse one is there before the hand. Not of one that is
 * about to be decoded for good.
 */
function blank(watch: Watch, { halvings, soon, near }: Way, means: Means): Choice | undefined {
  const { stack, position, velocity } = watch;
  if (stack.images.count >= stack.frames.length) return undefined;
  for (let step = 0; step < near; step++) {
    const at = position + (velocity > 0 ? step : -step);
    if (stack.frames[at] === undefined) return undefined;
    const come = stack.streaming.halvings(at);
    if (step >= soon && come >= 0 && come <= halvings) continue;
    const found = anything(watch, at, means);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Decode a frame as fine as it has come, and no finer than wanted; undefined when it is so already, or being decoded. */
function choice({ stack }: Watch, position: number, wanted: number, means: Means): Choice | undefined {
  const frame = stack.frames[position];
  if (frame === undefined || frame.route.kind !== 'stream' || stack.failures.has(frame.key)) return undefined;
  const have = Math.min(stack.images.halvings(frame.key), means.busy(stack, frame));
  const least = Math.min(wanted, frame.entry.ends.length - 1);
  if (have <= least) return undefined;
  const come = stack.streaming.halvings(position);
  const halvings = Math.max(come, least);
  return come >= 0 && halvings < have ? { stack, frame, position, halvings } : undefined;
}

/** A coarse picture, where there is none at all. */
function anything(watch: Watch, position: number, means: Means): Choice | undefined {
  const { stack } = watch;
  const frame = stack.frames[position];
  if (frame === undefined || stack.images.halvings(frame.key) !== Infinity || means.busy(stack, frame) !== Infinity) return undefined;
  const side = Math.max(frame.entry.rows, frame.entry.columns);
  return choice(watch, position, Math.max(0, Math.ceil(Math.log2(side / COARSE_SIDE))), means);
}

/** The nearest frame of which there is no picture at all. */
function coarse(watch: Watch, means: Means): Choice | undefined {
  const { stack, position, direction } = watch;
  const count = stack.frames.length;
  if (stack.images.count >= count) return undefined;
  for (let step = 0; step < count; step++) {
    const found = anything(watch, position + direction * step, means) ?? anything(watch, position - direction * step, means);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The frame that is coarsest in a block, if it has come finer: a quarter of its sides for all, before more for any. */
function volume({ stack, enough }: Watch, have: (position: number) => number, means: Means): Choice | undefined {
  for (const wanted of [Math.max(VOLUME_HALVINGS, enough), enough]) {
    for (const [position, frame] of stack.frames.entries()) {
      if (frame.route.kind !== 'stream' || have(position) <= wanted || stack.failures.has(frame.key)) continue;
      const come = stack.streaming.halvings(position);
      const halvings = Math.max(come, Math.min(wanted, frame.entry.ends.length - 1));
      if (come >= 0 && halvings < Math.min(have(position), means.busy(stack, frame))) return { stack, frame, position, halvings };
    }
  }
  return undefined;
}

/** Those beside what is shown while hands rest, the nearest of all viewports first. */
function around(resting: readonly Watch[], watches: number, means: Means, most = Infinity): Choice | undefined {
  const all = resting.map((watch) => ({ watch, reach: Math.min(most, reach(watch, 2 * watches, means)) }));
  for (let step = 1; all.some(({ reach }) => step <= reach); step++) {
    for (const { watch, reach } of all) {
      if (step > reach) continue;
      const { position, direction, enough } = watch;
      const found = choice(watch, position + direction * step, enough, means) ?? choice(watch, position - direction * step, enough, means);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

/**
 * How many frames there is room for in one of so many parts: what is decoded ahead, so that the next fling finds it. No more than
 * are kept: what is decoded is never given up for what is decoded next.
 */
function reach({ stack, position, enough }: Watch, parts: number, means: Means): number {
  const frame = stack.frames[position];
  if (frame === undefined) return 0;
  const { rows, columns } = frame.entry;
  const bytes = ((frame.header.samplesPerPixel === 3 ? 4 : 2) * rows * columns) / 4 ** enough;
  return Math.min(stack.frames.length, Math.floor((means.roomBytes * RESTING_PART) / Math.max(bytes, 1) / parts));
}

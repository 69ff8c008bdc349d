// Loads the frames of one series: the current one first, then ahead in the direction of travel; what is no longer wanted is cancelled.

import { request } from "./dicomweb.js";

const UNDER_WAY_MAX = 4;
const AHEAD = 24;
const BEHIND = 8;
const CACHE_BYTES_MAX = 256 * 1024 * 1024;

export class Stack {
  /**
   * @param frames what `framesOf` gave
   * @param on `image(index, picture, view)` for each picture, `failed(index, error, view)` for the wanted frame; never after `close`
   */
  constructor(frames, on) {
    this.frames = frames;
    this.index = 0;
    this.direction = 1;
    this.view = { query: "" };
    this.on = on;
    this.isDragging = false;
    this.closed = false;
    this.cache = new Map(); // key → ImageBitmap, least recently used first
    this.bytes = 0;
    this.underWay = new Map(); // key → AbortController
    this.failures = new Map(); // key → Error, until asked for again
  }

  /** Nothing of this stack is called or kept from here on. */
  close() {
    this.closed = true;
    for (const { controller } of this.underWay.values()) controller.abort();
    for (const picture of this.cache.values()) picture.close();
    this.cache.clear();
  }

  /** Make frame `index` the wanted one; `view.query` says how it is rendered (window, size). */
  want(index, view, isDragging = false) {
    if (index !== this.index) this.direction = Math.sign(index - this.index);
    this.index = index;
    this.view = view;
    this.isDragging = isDragging;
    const key = this.key(index);
    const picture = this.cached(key);
    if (picture) this.on.image(index, picture, view);
    else if (this.failures.has(key)) this.on.failed(index, this.failures.get(key), view);
    this.pump();
  }

  /** Forget failures, so that the frames are asked for again. */
  retry() {
    this.failures.clear();
    this.want(this.index, this.view);
  }

  key(index) {
    return `${index}?${this.view.query}`;
  }

  cached(key) {
    const picture = this.cache.get(key);
    if (picture) {
      this.cache.delete(key);
      this.cache.set(key, picture);
    }
    return picture;
  }

  /** Indexes by importance. While a window is dragged only the current frame is worth drawing. */
  wanted() {
    const order = [this.index];
    if (this.isDragging) return order;
    for (let step = 1; step <= AHEAD; step += 1) {
      order.push(this.index + step * this.direction);
      if (step % 3 === 0 && step / 3 <= BEHIND) order.push(this.index - (step / 3) * this.direction);
    }
    return order.filter((i) => i >= 0 && i < this.frames.length);
  }

  pump() {
    if (this.closed) return;
    const keys = new Map(this.wanted().map((index) => [this.key(index), index]));
    for (const [key, { controller, index, view }] of this.underWay) {
      // A window that is being dragged changes with every move: the picture under way is let through, or none would come.
      const isSuperseded = this.isDragging && index === this.index && view !== this.view;
      if (!keys.has(key) && !isSuperseded) {
        controller.abort();
        this.underWay.delete(key);
      }
    }
    const limit = this.isDragging ? 1 : UNDER_WAY_MAX;
    const missing = [...keys].filter(([key]) => !this.cache.has(key) && !this.failures.has(key) && !this.underWay.has(key));
    const isCurrentMissing = missing.length > 0 && missing[0][1] === this.index;
    if (isCurrentMissing && this.underWay.size >= limit && !this.isDragging) this.cancelLeast(keys);
    for (const [key, index] of missing) {
      if (this.underWay.size >= limit) break;
      this.load(key, index, this.view);
    }
  }

  /** The current frame does not wait behind those that were fetched in advance. */
  cancelLeast(keys) {
    const order = [...keys.keys()];
    const least = [...this.underWay].sort(([a], [b]) => order.indexOf(b) - order.indexOf(a))[0];
    least[1].controller.abort();
    this.underWay.delete(least[0]);
  }

  async load(key, index, view) {
    const controller = new AbortController();
    const mine = { controller, index, view };
    this.underWay.set(key, mine);
    const frame = this.frames[index];
    let picture, failure;
    try {
      const path = `${frame.path}/frames/${frame.number}/rendered?${view.query}`;
      const response = await request(path, "image/jpeg", controller.signal);
      picture = await pictureOf(response);
    } catch (error) {
      failure = error;
    }
    if (this.underWay.get(key) === mine) this.underWay.delete(key);
    if (this.closed || controller.signal.aborted) {
      picture?.close();
      return;
    }
    if (picture) {
      this.keep(key, picture);
      // Also what is not the current frame any more: on a slow line, a neighbour is better than standing still.
      this.on.image(index, picture, view);
    } else if (failure.name !== "AbortError") {
      this.failures.set(key, failure);
      if (key === this.key(this.index)) this.on.failed(index, failure, view);
    }
    this.pump();
  }

  keep(key, picture) {
    this.cache.get(key)?.close();
    this.cache.set(key, picture);
    this.bytes = [...this.cache.values()].reduce((sum, p) => sum + p.width * p.height * 4, 0);
    const current = this.key(this.index);
    for (const [old, other] of this.cache) {
      if (this.bytes <= CACHE_BYTES_MAX) break;
      if (old === key || old === current) continue;
      this.bytes -= other.width * other.height * 4;
      this.cache.delete(old);
      other.close();
    }
  }
}

async function pictureOf(response) {
  const blob = await response.blob();
  try {
    return await createImageBitmap(blob);
  } catch {
    throw new Error("The server's picture of this image did not arrive whole. Try again.");
  }
}

// The image on the screen and its labels. Both come from one frame and change in one step, so a label is never another image's.

import { edges } from "./frames.js";
import { Stack } from "./stack.js";

const $ = (id) => document.getElementById(id);
const QUALITY = 90;
const DRAG_FULL = 400; // pixels of dragging that double or empty the window's width

export class Viewport {
  /** @param rangeOf gives the window of a frame without one, or null (a promise) */
  constructor(rangeOf) {
    this.element = $("viewport");
    this.canvas = $("image");
    this.context = this.canvas.getContext("2d", { alpha: false });
    this.rangeOf = rangeOf;
    this.stack = null;
    this.listen();
    new ResizeObserver(() => this.resized()).observe(this.element);
    this.clear("");
  }

  /** Take everything of the last series away, at once; `words` say why there is no image. */
  clear(words) {
    this.stack?.close();
    this.stack = null;
    this.shown = null;
    this.index = 0;
    this.window = null; // null: each frame as its header says
    this.drag = null;
    this.blank();
    this.say(words);
    this.trouble("");
    $("slider").disabled = true;
    $("slider").max = "1";
    $("presets").replaceChildren();
  }

  /** Show the frames of a series from its first one on. */
  open(frames) {
    this.clear("");
    const stack = new Stack(frames, {
      image: (index, picture, view) => stack === this.stack && this.arrived(index, picture, view),
      failed: (index, error, view) => stack === this.stack && this.failed(index, error, view),
    });
    this.stack = stack;
    $("slider").max = String(frames.length);
    $("slider").disabled = frames.length < 2;
    this.go(0);
  }

  go(index) {
    if (!this.stack) return;
    const last = this.stack.frames.length - 1;
    this.index = Math.min(Math.max(index, 0), last);
    $("slider").value = String(this.index + 1);
    $("slider").setAttribute("aria-valuetext", `slice ${this.index + 1} of ${last + 1}`);
    this.ask();
  }

  /** Ask for what should be on the screen. */
  ask(isDragging = false) {
    const frame = this.stack.frames[this.index];
    const window = frame.isGray ? this.window : null;
    const parts = [];
    if (window) parts.push(`window=${short(window.center)},${short(window.width)},${window.shape}`);
    // A large image is fetched as large as the screen; a small one as it is, and the browser enlarges it.
    const limit = this.side();
    const isReduced = Math.max(frame.rows, frame.columns) > limit;
    if (isReduced) parts.push(`viewport=${limit},${limit}`);
    parts.push(`quality=${QUALITY}`);
    const before = this.stack.view;
    const query = parts.join("&");
    const view = before.query === query ? before : { query, window, isReduced };
    const isShown = this.shown?.index === this.index && this.shown.query === query;
    this.say(isShown || isDragging ? "" : `loading slice ${this.index + 1} …`);
    this.presets(frame);
    this.stack.want(this.index, view, isDragging);
  }

  arrived(index, picture, view) {
    // A neighbour is shown on the way, but never in place of what is nearer, and never for another window than the newest of its frame.
    const isWanted = index === this.index && view.query === this.stack.view.query;
    const isNearer = !this.shown || Math.abs(index - this.index) < Math.abs(this.shown.index - this.index);
    const isOnTheWay = index === this.index ? this.drag !== null : isNearer && view.query === this.stack.view.query;
    if (!isWanted && !isOnTheWay) return;
    const frame = this.stack.frames[index];
    this.canvas.width = picture.width;
    this.canvas.height = picture.height;
    this.context.drawImage(picture, 0, 0);
    this.canvas.hidden = false;
    this.shown = { index, frame, query: view.query, window: view.window, isReduced: view.isReduced, width: picture.width, height: picture.height };
    this.trouble("");
    this.label();
    if (isWanted) this.say("");
  }

  failed(index, error, view) {
    if (index !== this.index || view.query !== this.stack.view.query) return;
    this.blank();
    this.shown = null;
    this.say("");
    this.trouble(`Slice ${index + 1} of ${this.stack.frames.length} cannot be shown. ${error.message}`);
  }

  /** Words in place of the image, with a button to try again. */
  trouble(words) {
    $("trouble").hidden = !words;
    $("trouble-text").textContent = words;
  }

  say(words) {
    $("waiting").textContent = words;
  }

  blank() {
    this.canvas.hidden = true;
    this.canvas.setAttribute("aria-label", "no image");
    for (const id of ["label-patient", "label-series", "label-slice", "label-window"]) $(id).replaceChildren();
    for (const side of ["top", "right", "bottom", "left"]) $(`side-${side}`).textContent = "";
  }

  label() {
    const { frame, index } = this.shown;
    const total = this.stack.frames.length;
    const zoom = this.fit();
    write("label-patient", frame.patient || "no patient name", frame.patientId, [frame.birthDate, frame.sex].filter(Boolean).join("  "));
    write("label-series", frame.study, `${frame.modality} ${frame.series}`.trim(), frame.quality);
    const place = frame.position.length === 3 ? `at ${frame.position.map((v) => v.toFixed(1)).join(", ")} mm` : "";
    const many = frame.count > 1 ? `frame ${frame.number} of ${frame.count}` : "";
    const number = frame.instanceNumber && `instance ${frame.instanceNumber}`;
    write("label-slice", `${index + 1} / ${total}`, [number, many].filter(Boolean).join(", "), place);
    write("label-window", this.windowWords(), `${zoom} %`);
    edges(frame).forEach((letter, i) => { $(`side-${["top", "right", "bottom", "left"][i]}`).textContent = letter; });
    this.canvas.setAttribute("aria-label", `${frame.patient || "no patient name"}, ${frame.series || frame.modality}, slice ${index + 1} of ${total}`);
  }

  windowWords() {
    const { frame, window } = this.shown;
    if (!frame.isGray) return "colour";
    const one = window ?? frame.windows[0];
    return one ? `C ${short(one.center)} W ${short(one.width)}` : "window: all values";
  }

  /** Lay the picture out as large as fits, pixels as tall as they are in the patient; gives the zoom in percent. */
  fit() {
    const { frame, isReduced, width, height } = this.shown;
    const tall = isReduced ? height : height * frame.aspect; // a reduced picture has square pixels already
    const scale = Math.min(this.element.clientWidth / width, this.element.clientHeight / tall);
    const style = this.canvas.style;
    style.width = `${width * scale}px`;
    style.height = `${tall * scale}px`;
    style.left = `${(this.element.clientWidth - width * scale) / 2}px`;
    style.top = `${(this.element.clientHeight - tall * scale) / 2}px`;
    return Math.round(((width * scale) / (frame.columns || width)) * 100);
  }

  /** Longer side of what the screen can show, in device pixels; in steps, so that small resizes fetch nothing again. */
  side() {
    const side = Math.max(this.element.clientWidth, this.element.clientHeight) * devicePixelRatio;
    return Math.max(512, Math.ceil(side / 256) * 256);
  }

  resized() {
    if (!this.stack) return;
    if (this.shown) this.label();
    this.ask();
  }

  setWindow(window, isDragging = false) {
    this.window = window;
    if (this.stack) this.ask(isDragging);
  }

  presets(frame) {
    const windows = frame.isGray ? frame.windows : [];
    const same = (one) => this.window?.center === one.center && this.window?.width === one.width;
    const entries = windows.map((one) => [one.name || `C ${short(one.center)} W ${short(one.width)}`, one, same(one)]);
    if (frame.isGray) entries.push(["as stored", null, this.window === null]);
    const key = JSON.stringify(entries);
    if ($("presets").dataset.key === key && $("presets").children.length === entries.length) return;
    $("presets").dataset.key = key;
    $("presets").replaceChildren(...entries.map(([words, window, isOn]) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = words;
      button.setAttribute("aria-pressed", String(isOn));
      button.addEventListener("click", () => this.setWindow(window));
      return button;
    }));
  }

  listen() {
    const element = this.element;
    let turned = 0;
    element.addEventListener("wheel", (event) => {
      event.preventDefault();
      const step = event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? event.deltaY : event.deltaY * 40;
      // A notch of a wheel is one slice, whatever it counts; a touch pad sends many small ones.
      turned = Math.abs(step) >= 40 ? Math.sign(step) * 40 : turned + step;
      const slices = Math.trunc(turned / 40);
      turned -= slices * 40;
      if (slices) this.go(this.index + slices);
    }, { passive: false });
    element.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || event.target.closest("button")) return;
      element.focus({ preventScroll: true });
      element.setPointerCapture(event.pointerId);
      this.beginDrag(event);
    });
    element.addEventListener("pointermove", (event) => this.dragTo(event));
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) element.addEventListener(end, () => this.endDrag());
    element.addEventListener("dblclick", (event) => event.target.closest("button") || this.setWindow(null));
    document.addEventListener("keydown", (event) => {
      // Also right after a series was chosen, when the focus is still on its button; never in the list or a field.
      const isHere = event.target === document.body || (event.target.closest("#reading") && event.target.tagName !== "INPUT");
      if (event.ctrlKey || event.altKey || event.metaKey || !isHere || !this.stack) return;
      const steps = { ArrowUp: -1, ArrowLeft: -1, ArrowDown: 1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity };
      const step = steps[event.key];
      if (step === undefined) return;
      event.preventDefault();
      this.go(this.index + step);
    });
    $("slider").addEventListener("input", () => this.go(Number($("slider").value) - 1));
    $("again").addEventListener("click", () => this.onAgain());
  }

  onAgain() {
    this.trouble("");
    this.stack?.retry();
  }

  async beginDrag(event) {
    const frame = this.shown?.frame;
    if (!frame?.isGray) return;
    const drag = { x: event.clientX, y: event.clientY, from: this.window ?? frame.windows[0] ?? null };
    this.drag = drag;
    if (drag.from) return;
    const range = await this.rangeOf(frame);
    if (this.drag === drag) drag.from = range;
  }

  dragTo(event) {
    const from = this.drag?.from;
    if (!from) return;
    const right = event.clientX - this.drag.x, down = event.clientY - this.drag.y;
    if (!this.drag.moved && Math.hypot(right, down) < 3) return; // the unsteady hand of a click
    this.drag.moved = true;
    const step = from.width / DRAG_FULL;
    const least = from.shape === "linear" ? 1 : from.width / 1000; // PS3.3 C.11.2.1.2
    const width = Math.max(from.width + right * step * 2, least);
    this.setWindow({ ...from, center: from.center + down * step, width }, true);
  }

  endDrag() {
    const drag = this.drag;
    this.drag = null;
    if (drag?.moved && this.stack) this.ask();
  }
}

function write(id, ...lines) {
  $(id).replaceChildren(...lines.map((words, i) => {
    const p = document.createElement("p");
    p.textContent = words;
    if (i) p.className = "faint";
    return p;
  }));
}

/** A number as short as it may be for showing and asking. */
function short(value) {
  const size = Math.abs(value);
  return String(Number(value.toFixed(size >= 100 || Number.isInteger(value) ? 0 : size >= 1 ? 1 : 4)));
}

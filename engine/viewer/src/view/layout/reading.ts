// Reading: the layout with its tools, which series is where, what viewports have to do with each other.
import type { SessionState, StreamSession } from '@voxcast/client';
import type { Vector } from '../dicom/frame';
import type { Point } from '../draw/matrix';
import { isByCard, type Drawing } from '../draw/choice';
import type { FrameLoader } from '../load/loader';
import type { Frames } from '../load/frames';
import { FrameStack } from '../load/stack';
import type { MarkKind } from '../measure/marks';
import { Measuring } from '../measure/measuring';
import { pressed, presetWindows } from '../tools/keys';
import type { DragTool } from '../tools/pointer';
import { Toolbar } from '../tools/toolbar';
import { isMadeOf, VolumeDesk } from '../volume/desk';
import { VolumeRendering } from '../volume/rendering';
import { Views } from '../states/views';
import { make } from '../viewport/labels';
import type { Viewport } from '../viewport/viewport';
import type { Words } from '../words';
import type { SeriesRef } from '../../contract';
import { groupsOf, MARKS, TOOLS } from './buttons';
import type { Cell } from './cell';
import { planesAcross, toggleSlab } from './cuts';
import { OpenSeries } from './opened';
import { follow, goTo, inPatient, isMixed, onScreen, referenceLine } from './links';
import { LAYOUTS, Screen } from './screen';
import { pictureOf } from './picture';
import { drawCross, drawLine, emptied } from './strokes';

const SEEN_PART = 0.85; // of the window's sides, of an image that is not on the page yet

/** How a reader likes to begin. */
export interface Beginning {
  readonly tool: string;
  readonly areTexts: boolean;
  readonly isLinked: boolean;
  /** The name that stands in what is stored, at that moment; empty: none. */
  readonly observer: () => string;
}

export class Reading {
  private readonly screen: Screen;
  private readonly toolbar: Toolbar;
  private readonly warning = make('p', 'warning');
  private readonly line = make('p', 'warning');
  private readonly opened: OpenSeries;
  private readonly unread = new Set<string>(); // studies of which only images were asked for: marks and views come after the first
  private tool: DragTool;
  private isLinked: boolean;
  private areTexts: boolean;
  private isFollowing = false;
  private expected: FrameStack | undefined;
  private cross: { at: Vector; of: Viewport } | undefined;
  private readonly measuring: Measuring;
  private readonly desk: VolumeDesk;
  private readonly views: Views;
  private readonly off: () => void;

  /** Throws where images cannot be drawn. */
  constructor(
    private readonly element: HTMLElement,
    loader: FrameLoader,
    session: StreamSession,
    private readonly words: Words,
    private readonly shown: (series: readonly SeriesRef[]) => void,
    drawing: Drawing,
    begin: Beginning,
  ) {
    this.opened = new OpenSeries(loader, (error) => this.tell(words('view.cannot_show', { reason: error.message })));
    this.tool = TOOLS.find(([tool]) => tool === begin.tool)?.[0] ?? 'window';
    this.isLinked = begin.isLinked;
    this.areTexts = begin.areTexts;
    this.measuring = new Measuring(words, () => this.screen.changed(), (told) => this.tell(told), begin.observer);
    this.screen = new Screen(
      {
        loader,
        session,
        words,
        drawing,
        areTextsShown: () => this.areTexts,
        changed: () => this.screen.changed(),
        moved: (viewport) => this.moved(viewport),
        dropped: (cell, name) => this.show(name, cell),
        hands: {
          tool: () => this.tool,
          drawing: this.measuring.drawing,
          crosshair: (viewport, at) => this.point(viewport, at),
          activate: (viewport) => this.screen.activate(this.screen.cellOf(viewport)),
        },
      },
      () => this.drawn(),
    );
    this.desk = new VolumeDesk({
      words,
      byCard: isByCard(drawing),
      cells: () => this.screen.cells,
      active: () => this.screen.active,
      place: (cell, frames, position) => this.place(cell, frames, position),
      tell: (told) => this.tell(told),
      tool: () => this.tool,
      choose: (tool) => this.choose(tool),
      activate: (viewport) => this.screen.activate(this.screen.cellOf(viewport)),
    });
    this.toolbar = new Toolbar(words, groupsOf({
      measuring: this.measuring,
      desk: this.desk,
      cell: () => this.screen.active,
      viewports: () => this.viewports,
      tool: () => this.tool,
      choose: (tool, mark) => this.choose(tool, mark),
      planes: () => this.planes(),
      slab: () => this.slab(),
      link: { isOn: () => this.isLinked, toggle: () => (this.isLinked = !this.isLinked) },
      texts: { isOn: () => this.areTexts, toggle: () => this.showTexts(!this.areTexts) },
    }), LAYOUTS, {
      layout: (rows, columns) => this.layout(rows, columns),
      layoutNow: () => this.screen.shape.join(' '),
      window: (window) => this.active?.setWindow(window),
      windows: () => (this.active === undefined ? [] : presetWindows(this.active)),
    });
    this.views = new Views({
      words,
      measuring: this.measuring,
      active: () => this.active,
      show: (study, series) => this.show({ study, series }),
      tell: (told) => this.tell(told),
      creator: begin.observer,
    });
    this.toolbar.add(this.views.element, 1);
    this.warning.setAttribute('role', 'alert');
    this.line.setAttribute('role', 'alert');
    this.warning.hidden = this.line.hidden = true;
    element.append(this.toolbar.element, this.desk.panel.element, this.line, this.warning, this.screen.element);
    element.addEventListener('keydown', this.key);
    element.addEventListener('voxcast:read', this.read);
    this.off = session.on((state) => this.connected(state));
    this.layout(1, 1);
    this.choose(this.tool);
  }

  get cells(): readonly Cell[] {
    return this.screen.cells;
  }

  layout(rows: number, columns: number): void {
    this.toolbar.fit(); // else images would be laid out below a row that is higher, and then anew
    const before = this.screen.cells.map(({ viewport }) => viewport.stack);
    this.screen.layout(rows, columns);
    for (const stack of before) this.opened.release(stack, this.screen.cells.map(({ viewport }) => viewport.stack));
    this.tellShown();
  }

  /** A series in a cell; the active one when none is named. */
  show(name: SeriesRef, cell = this.screen.active): void {
    if (cell === undefined) return;
    const stack = this.opened.stack(name);
    // What was expected is there already, with what has come of it.
    if (this.expected !== stack || cell.viewport.stack !== stack) this.place(cell, stack);
    this.expected = undefined;
    this.unread.add(name.study);
    stack.ready.catch(() => this.openStored()); // no image comes that they could wait for
    this.screen.activate(cell);
    this.desk.arrived(cell, stack);
    // Keys mean the image from the first moment on, if nothing else has them.
    if (document.activeElement === document.body) cell.element.focus({ preventScroll: true });
    this.tellShown();
  }

  /** A series that will be shown soon, it seems: in its place already, so that its first image comes and is decoded while the screen is made. */
  expect(name: SeriesRef): void {
    const [cell] = this.screen.cells;
    const stack = this.opened.stack(name);
    if (cell === undefined || cell.viewport.stack !== undefined) return;
    // How large it will be seen, nearly: the layout says it once it is on the page.
    if (!this.element.isConnected) cell.viewport.resize({ width: SEEN_PART * innerWidth, height: SEEN_PART * innerHeight });
    this.expected = stack;
    this.place(cell, stack);
  }

  /** It will not be shown; closed, if it is not. */
  unexpect(name: SeriesRef): void {
    const [cell] = this.screen.cells;
    if (cell !== undefined && this.expected !== undefined && cell.viewport.stack === this.expected) this.place(cell, undefined);
    this.expected = undefined;
    this.opened.release(this.opened.found(name), this.screen.cells.map(({ viewport }) => viewport.stack));
    this.tell('');
  }

  /** What is stored in the studies beside their images: marks and views. */
  private openStored(): void {
    for (const study of this.unread) {
      this.measuring.open(study);
      this.views.open(study);
    }
    this.unread.clear();
  }

  /** A series beside what is shown: in the next cell that is empty, or that is not the active one; a second cell is made where there is one. */
  beside(name: SeriesRef): void {
    if (this.screen.cells.length < 2) this.layout(...this.screen.two);
    const { cells, active } = this.screen;
    this.show(name, cells.find(({ viewport }) => viewport.stack === undefined) ?? cells[(cells.findIndex((cell) => cell === active) + 1) % cells.length]);
  }

  /** Of a series that is shown images have come or gone; or they are others under the same UIDs, and nothing that is held of it counts. */
  renew(name: SeriesRef, isReplaced: boolean): void {
    const old = this.opened.found(name);
    if (old === undefined) return;
    if (!isReplaced) return old.renew();
    this.opened.forget(old);
    for (const cell of this.screen.cells) {
      const { stack } = cell.viewport;
      if (stack === old || isMadeOf(stack, old)) this.show(name, cell);
    }
  }

  /** Frames in a cell; what it showed is closed when no other shows it. */
  private place(cell: Cell, frames: Frames | undefined, position = 0): void {
    const before = cell.viewport.stack;
    cell.cine.stop();
    cell.viewport.show(frames, position);
    if (before !== frames) this.opened.release(before, this.screen.cells.map(({ viewport }) => viewport.stack));
    this.tellShown();
  }

  /** What is on the screen as a picture; null while nothing is. */
  picture(): Promise<Blob | null> {
    return pictureOf(this.screen);
  }

  /** Words above the images; empty: none. */
  tell(words: string): void {
    this.warning.textContent = words;
    this.warning.hidden = words === '';
  }

  close(): void {
    this.off();
    this.element.removeEventListener('keydown', this.key);
    this.element.removeEventListener('voxcast:read', this.read);
    this.measuring.close();
    this.views.close();
    this.toolbar.close();
    this.desk.close();
    for (const { viewport } of this.screen.cells) if (viewport.stack instanceof VolumeRendering) viewport.stack.close();
    this.screen.close();
  }

  private showTexts(areTexts: boolean): void {
    this.areTexts = areTexts;
    for (const { labels } of this.screen.cells) labels.showAll(areTexts);
  }

  private get active(): Viewport | undefined {
    return this.screen.active?.viewport;
  }

  private tellShown(): void {
    const stacks = this.viewports.flatMap(({ stack }) => (stack === undefined ? [] : [stack]));
    const series = stacks.map((stack) => (stack instanceof VolumeRendering ? stack.stack : stack));
    this.shown(series.flatMap((stack) => (stack instanceof FrameStack ? [{ study: stack.study, series: stack.series }] : [])));
  }

  /** Planes of the body through the active series, beside it; nothing where it is no volume. */
  private planes(): void {
    const stack = this.active?.stack;
    if (!(stack instanceof FrameStack)) return;
    const across = planesAcross(stack);
    if (across === undefined) {
      this.tell(this.words('view.no_volume'));
      return;
    }
    const name = { study: stack.study, series: stack.series };
    this.layout(...this.screen.three);
    this.show(name, this.screen.cells[0]);
    across.forEach((planes, at) => {
      const cell = this.screen.cells[at + 1];
      if (cell !== undefined) this.place(cell, planes, Math.floor(planes.frames.length / 2));
    });
    this.choose('crosshair');
  }

  /** A slab of largest values, for planes that are cut here. */
  private slab(): void {
    toggleSlab(this.viewports);
    this.screen.changed();
  }

  private moved(viewport: Viewport): void {
    if (!this.isLinked || this.isFollowing) return;
    this.isFollowing = true;
    try {
      follow(viewport, this.viewports);
    } finally {
      this.isFollowing = false;
    }
  }

  private get viewports(): Viewport[] {
    return this.screen.cells.map(({ viewport }) => viewport);
  }

  private point(viewport: Viewport, at: Point): void {
    const place = inPatient(viewport, at);
    if (place === undefined) return;
    this.cross = { at: place, of: viewport };
    goTo(place, viewport, this.viewports);
    this.screen.changed();
  }

  /** Over the images: lines of reference, the crosshair, warnings. */
  private drawn(): void {
    const { active } = this;
    for (const cell of this.screen.cells) {
      const { viewport, svg } = cell;
      emptied(svg);
      if (viewport.shown === undefined) continue;
      this.measuring.draw(cell);
      this.desk.draw(cell);
      if (active !== undefined && active !== viewport) {
        const line = referenceLine(viewport, active);
        if (line !== undefined) drawLine(svg, line[0], line[1], 'reference');
      }
      if (this.cross !== undefined && this.tool === 'crosshair') {
        const at = onScreen(this.cross.at, this.cross.of, viewport);
        if (at !== undefined) drawCross(svg, at);
      }
    }
    if (this.viewports.some(({ shown }) => shown?.pixels !== undefined || (shown?.trouble ?? '') !== '')) this.openStored();
    const mixed = isMixed(this.viewports) ? this.words('view.mixed') : '';
    if (mixed || this.warning.textContent === this.words('view.mixed')) this.tell(mixed);
    this.toolbar.update();
    this.desk.update();
    this.views.update();
  }

  private connected(state: SessionState): void {
    const told = state.kind === 'interrupted' ? this.words('view.interrupted') : state.kind === 'over' ? this.words('view.over', { reason: state.error.message }) : '';
    this.line.textContent = told;
    this.line.hidden = told === '';
  }

  private readonly key = (event: KeyboardEvent): void => {
    const { active, screen } = this;
    const isField = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement || event.target instanceof HTMLTextAreaElement;
    const isButton = event.target instanceof HTMLButtonElement && (event.key === ' ' || event.key === 'Enter');
    if (active === undefined || screen.active === undefined || isField || isButton) return;
    const isPlain = !event.ctrlKey && !event.metaKey && !event.altKey;
    if (this.desk.key(event)) {
      event.preventDefault();
      return;
    }
    const tool = TOOLS.find(([, letter]) => letter === event.key)?.[0];
    const mark = MARKS.find(([, letter]) => letter === event.key)?.[0];
    if (isPlain && tool !== undefined) this.choose(tool);
    else if (isPlain && mark !== undefined) this.choose(this.tool, mark);
    else if (isPlain && event.key === 'v') this.desk.toggle();
    else if (isPlain && (event.key === 'Delete' || event.key === 'Backspace')) this.measuring.drawing.remove();
    else if (event.key === 'z' && (event.ctrlKey || event.metaKey)) this.measuring.undo();
    else if (!(isPlain && this.measuring.key(event, active)) && !pressed(event, active, screen.active.cine)) return;
    event.preventDefault();
    this.toolbar.update();
  };

  /** For who measures: the frame of the active viewport, pixel by pixel in the greys that are shown, or nothing before it is exact. */
  private readonly read = (event: Event): void => {
    const { detail } = event as CustomEvent<unknown>;
    const cell = this.screen.active;
    if (typeof detail !== 'function' || cell === undefined) return;
    const isExact = cell.viewport.shown?.pixels?.halvings === 0;
    (detail as (image: ImageData | undefined, about: object) => void)(isExact ? this.screen.readFrame(cell) : undefined, {
      key: cell.viewport.frame?.key,
      trouble: cell.viewport.shown?.trouble,
      route: cell.viewport.frame?.route.kind,
    });
  };

  /** A tool for the left button; with a kind of mark it draws that. */
  private choose(tool: DragTool, mark?: MarkKind): void {
    this.tool = tool;
    this.measuring.kind = mark;
    this.screen.element.dataset.tool = mark === undefined ? tool : 'mark';
    this.screen.changed();
  }
}

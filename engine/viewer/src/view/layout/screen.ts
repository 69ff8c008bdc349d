// All cells of the layout and the canvas below them: draws once for each picture of the screen, and only when something changed.
import { painterFor } from '../draw/choice';
import type { Painter, Picture, Place } from '../draw/painter';
import { make } from '../viewport/labels';
import type { Viewport } from '../viewport/viewport';
import { Cell, type CellOwner } from './cell';

export const LAYOUTS = [[1, 1], [1, 2], [1, 3], [2, 1], [3, 1], [2, 2], [2, 3], [3, 3]] as const; // rows, columns

export class Screen {
  readonly element = make('div', 'screen');
  readonly cells: Cell[] = [];
  private readonly canvas = make('canvas');
  private readonly grid = make('div', 'grid');
  private readonly painter: Painter;
  private readonly watcher: ResizeObserver;
  private activeCell: Cell | undefined;
  private handle = 0;
  private hasImage = false;
  private now: readonly [number, number] = [1, 1];

  /** @param drawn called after every drawing, for what lies over the images */
  constructor(private readonly owner: CellOwner, private readonly drawn: () => void) {
    this.canvas.setAttribute('aria-hidden', 'true');
    this.element.append(this.canvas, this.grid);
    this.painter = painterFor(this.canvas, owner.drawing, () => this.changed());
    this.watcher = new ResizeObserver(() => this.resized());
    this.watcher.observe(this.grid);
  }

  get active(): Cell | undefined {
    return this.activeCell;
  }

  /** Rows and columns. */
  get shape(): readonly [number, number] {
    return this.now;
  }

  /** Rows and columns of three images, side by side or, where that is narrow, one below the other. */
  get three(): readonly [number, number] {
    return this.isWide ? [1, 3] : [3, 1];
  }

  /** Of two. */
  get two(): readonly [number, number] {
    return this.isWide ? [1, 2] : [2, 1];
  }

  private get isWide(): boolean {
    return this.grid.clientWidth >= this.grid.clientHeight;
  }

  /** What is beyond the new layout is closed. */
  layout(rows: number, columns: number): void {
    this.now = [rows, columns];
    this.grid.style.gridTemplateRows = `repeat(${rows}, minmax(0, 1fr))`;
    this.grid.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
    while (this.cells.length > rows * columns) this.cells.pop()?.close();
    while (this.cells.length < rows * columns) {
      const cell = new Cell(this.owner);
      this.cells.push(cell);
      this.grid.append(cell.element);
    }
    if (this.activeCell === undefined || !this.cells.includes(this.activeCell)) this.activate(this.cells[0]);
    this.resized();
  }

  activate(cell: Cell | undefined): void {
    if (cell === this.activeCell) return;
    this.activeCell = cell;
    for (const one of this.cells) one.element.classList.toggle('active', one === cell);
    this.changed();
  }

  cellOf(viewport: Viewport): Cell | undefined {
    return this.cells.find((cell) => cell.viewport === viewport);
  }

  /** Draw soon. */
  changed(): void {
    if (this.handle === 0) this.handle = requestAnimationFrame(() => this.draw());
  }

  /** What a viewport shows, as RGBA rows of its own size in device pixels; undefined when it shows nothing. */
  read(cell: Cell): ImageData | undefined {
    const picture = cell.viewport.picture();
    if (picture === undefined) return undefined;
    const width = Math.round(cell.viewport.size.width * devicePixelRatio);
    const height = Math.round(cell.viewport.size.height * devicePixelRatio);
    return covered(new ImageData(this.painter.read(picture, width, height), width, height), cell.viewport.cover, picture.toScreen);
  }

  /** The frame itself, a pixel of it one of the picture, in the greys that are shown. */
  readFrame(cell: Cell): ImageData | undefined {
    const picture = cell.viewport.picture();
    if (picture === undefined) return undefined;
    const plain: Picture = { ...picture, toScreen: { a: 1, b: 0, c: 0, d: 1, e: 0, f: 0 } };
    return covered(new ImageData(this.painter.read(plain, picture.columns, picture.rows), picture.columns, picture.rows), cell.viewport.cover, plain.toScreen);
  }

  close(): void {
    cancelAnimationFrame(this.handle);
    this.handle = -1; // nothing more is drawn
    this.watcher.disconnect();
    for (const cell of this.cells.splice(0)) cell.close();
    this.painter.dispose();
    this.element.remove();
  }

  private draw(): void {
    this.handle = 0;
    const pictures: { place: Place; picture: Picture | undefined }[] = [];
    for (const cell of this.cells) pictures.push({ place: this.placeOf(cell), picture: cell.viewport.picture() });
    this.painter.draw(pictures);
    for (const cell of this.cells) cell.update();
    this.drawn();
    this.told();
  }

  /** For who measures: what each viewport shows from this picture of the screen on. */
  private told(): void {
    const shown = this.cells.map(({ viewport }) => ({ position: viewport.position, halvings: viewport.shown?.pixels?.halvings ?? -1, enough: viewport.enough }));
    if (!this.hasImage && this.element.isConnected && shown.some(({ halvings }) => halvings >= 0)) {
      this.hasImage = true;
      performance.mark('voxcast:first-image');
    }
    this.element.dispatchEvent(new CustomEvent('voxcast:drawn', { bubbles: true, detail: { at: performance.now(), shown } }));
  }

  private readonly places = new Map<Cell, Place>();

  private placeOf(cell: Cell): Place {
    return this.places.get(cell) ?? { x: 0, y: 0, width: 0, height: 0 };
  }

  /** Measured once for every change of size: asking while drawing would make the page lay itself out each time. */
  private resized(): void {
    const all = this.grid.getBoundingClientRect();
    const device = devicePixelRatio;
    this.canvas.style.width = `${all.width}px`;
    this.canvas.style.height = `${all.height}px`;
    this.painter.resize(Math.max(1, Math.round(all.width * device)), Math.max(1, Math.round(all.height * device)));
    this.places.clear();
    for (const cell of this.cells) {
      const box = cell.element.getBoundingClientRect();
      const [x, y] = [Math.round((box.left - all.left) * device), Math.round((box.top - all.top) * device)];
      const [width, height] = [Math.round((box.right - all.left) * device) - x, Math.round((box.bottom - all.top) * device) - y];
      this.places.set(cell, { x, y, width, height });
      cell.viewport.resize({ width: width / device, height: height / device });
      cell.svg.setAttribute('viewBox', `0 0 ${width / device} ${height / device}`);
    }
    this.changed();
  }
}

/** With shutter and overlays over it. */
function covered(image: ImageData, cover: HTMLCanvasElement | undefined, { a, b, c, d, e, f }: Picture['toScreen']): ImageData {
  if (cover === undefined) return image;
  const context = new OffscreenCanvas(image.width, image.height).getContext('2d', { willReadFrequently: true });
  if (context === null) throw new Error('this picture cannot be drawn');
  context.putImageData(image, 0, 0);
  context.setTransform(a, b, c, d, e, f);
  context.imageSmoothingEnabled = Math.abs(a * d - b * c) < 1;
  context.drawImage(cover, 0, 0);
  return context.getImageData(0, 0, image.width, image.height);
}

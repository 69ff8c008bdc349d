// The volume of a layout: one at a time, for its block is large; opened in a viewport in place of the series, and closed again.
import { FrameStack } from '../load/stack';
import { PlaneStack } from '../load/planes';
import type { Frames } from '../load/frames';
import type { Cell } from '../layout/cell';
import type { DragTool } from '../tools/pointer';
import type { Viewport } from '../viewport/viewport';
import type { Words } from '../words';
import { drawCube } from './cube';
import { listenForTurns, turnedByKey } from './hand';
import { VolumePanel } from './panel';
import { VolumeRendering } from './rendering';
import { read, written, type VolumeState } from './state';

const KEY = 'volume'; // in the address, behind #
const ADDRESS_MS = 250;

/** What the layout does for it. */
export interface VolumeHost {
  readonly words: Words;
  /** The graphics card draws. */
  readonly byCard: boolean;
  cells(): readonly Cell[];
  active(): Cell | undefined;
  /** Show frames in a cell; what it showed is closed when nothing else shows it. */
  place(cell: Cell, frames: Frames | undefined, position?: number): void;
  tell(words: string): void;
  tool(): DragTool;
  choose(tool: DragTool): void;
  activate(viewport: Viewport): void;
}

export class VolumeDesk {
  readonly panel: VolumePanel;
  private readonly heard = new WeakSet<Cell>();
  private toolBefore: DragTool = 'window';
  private positionBefore = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  /** What the address asked for, until a series is there to be seen so. */
  private asked = new URLSearchParams(location.hash.slice(1)).get(KEY) ?? undefined;

  constructor(private readonly host: VolumeHost) {
    const { words } = host;
    this.panel = new VolumePanel(words, () => host.choose('scroll'), () => host.tool() === 'scroll', () => this.toggle());
  }

  /** Whether the active viewport shows a series that may be a volume, or a volume already. */
  get canToggle(): boolean {
    const cell = this.host.active();
    return cell !== undefined && seriesOf(cell) !== undefined && (this.isOn || (seriesOf(cell)?.frames.length ?? 0) > 3);
  }

  get isOn(): boolean {
    return renderingIn(this.host.active()) !== undefined;
  }

  /** The active viewport's series as a volume, or flat again. */
  toggle(): void {
    const cell = this.host.active();
    if (cell === undefined) return;
    if (renderingIn(cell) !== undefined) this.flatten(cell);
    else this.open(cell);
  }

  /** A series has been put into a cell: as a volume where the address asks for it. */
  arrived(cell: Cell, stack: FrameStack): void {
    const { asked } = this;
    if (asked === undefined) return;
    this.asked = undefined;
    const open = () => {
      if (cell.viewport.stack === stack) this.open(cell, read(asked));
    };
    stack.ready.then(open, () => undefined); // who shows the series says why it cannot be shown
  }

  /** True when a key was meant for the volume in use. */
  key(event: KeyboardEvent): boolean {
    const cell = this.host.active();
    const shown = renderingIn(cell);
    return shown !== undefined && cell !== undefined && turnedByKey(event, shown, cell.viewport);
  }

  /** Over the image of a cell. */
  draw({ viewport, svg }: Cell): void {
    const shown = viewport.shown?.stack;
    if (shown instanceof VolumeRendering && viewport.shown?.pixels !== undefined) drawCube(svg, shown.shown.orbit, shown.about, viewport.size.height);
  }

  update(): void {
    this.panel.update(renderingIn(this.host.active()));
    this.address();
  }

  close(): void {
    clearTimeout(this.timer);
  }

  private open(cell: Cell, state?: VolumeState): void {
    const { host } = this;
    const stack = seriesOf(cell);
    if (stack === undefined) return;
    const { viewport } = cell;
    const size = () => ({ width: Math.round(viewport.size.width * devicePixelRatio), height: Math.round(viewport.size.height * devicePixelRatio) });
    for (const other of host.cells()) if (renderingIn(other) !== undefined) this.flatten(other);
    const rendering = VolumeRendering.of(stack, size, host.byCard, host.words('view.no_volume'));
    if (rendering === undefined) {
      host.tell(host.words('view.no_volume'));
      return;
    }
    if (state !== undefined) rendering.change(state);
    rendering.watch(() => this.update());
    this.positionBefore = viewport.stack instanceof FrameStack ? viewport.position : Math.floor(stack.frames.length / 2);
    this.toolBefore = host.tool();
    if (!this.heard.has(cell)) {
      this.heard.add(cell);
      listenForTurns(cell.element, viewport, () => renderingIn(cell), { tool: () => host.tool(), activate: (one) => host.activate(one) });
    }
    cell.cine.stop();
    host.place(cell, rendering);
    host.choose('scroll'); // which turns it
  }

  private flatten(cell: Cell): void {
    const rendering = renderingIn(cell);
    if (rendering === undefined) return;
    this.host.place(cell, rendering.stack, this.positionBefore);
    this.host.choose(this.toolBefore);
  }

  /** The view can be shared: how the volume is seen is in the address. */
  private address(): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      const shown = this.host.cells().map(renderingIn).find((one) => one !== undefined);
      const words = new URLSearchParams(location.hash.slice(1));
      const text = shown === undefined ? undefined : written(shown.state);
      if ((words.get(KEY) ?? undefined) === text || this.asked !== undefined) return;
      if (text === undefined) words.delete(KEY);
      else words.set(KEY, text);
      const hash = words.toString().replaceAll('%2C', ',');
      history.replaceState(history.state, '', location.pathname + location.search + (hash && `#${hash}`));
    }, ADDRESS_MS);
  }
}

function renderingIn(cell: Cell | undefined): VolumeRendering | undefined {
  const stack = cell?.viewport.stack;
  return stack instanceof VolumeRendering ? stack : undefined;
}

/** The series that a cell shows, whichever way. */
function seriesOf(cell: Cell): FrameStack | undefined {
  const { stack } = cell.viewport;
  if (stack instanceof FrameStack) return stack;
  return stack instanceof PlaneStack ? stack.block.stack : stack instanceof VolumeRendering ? stack.stack : undefined;
}

/** Whether frames of a cell are made from a series, which must be kept then. */
export function isMadeOf(frames: Frames | undefined, stack: FrameStack | undefined): boolean {
  return (frames instanceof PlaneStack && frames.block.stack === stack) || (frames instanceof VolumeRendering && frames.stack === stack);
}


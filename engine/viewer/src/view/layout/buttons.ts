// The buttons above the images: what each does, and when it is on.
import { PlaneStack } from '../load/planes';
import { FrameStack } from '../load/stack';
import type { MarkKind } from '../measure/marks';
import type { Measuring } from '../measure/measuring';
import type { DragTool } from '../tools/pointer';
import type { Group } from '../tools/toolbar';
import type { Viewport } from '../viewport/viewport';
import type { VolumeDesk } from '../volume/desk';
import type { WordKey } from '../words';
import type { Cell } from './cell';

export const MARKS: readonly (readonly [MarkKind, string])[] = [['length', 'l'], ['angle', 'g'], ['rectangle', 'b'], ['ellipse', 'e'], ['probe', 'q'], ['arrow', 'n'], ['text', 't']];
export const TOOLS: readonly (readonly [DragTool, string])[] = [['window', 'w'], ['scroll', 's'], ['pan', 'p'], ['zoom', 'z'], ['crosshair', 'c']];

interface Switch {
  isOn(this: void): boolean;
  toggle(this: void): void;
}

/** What the buttons do to the layout. */
export interface Acts {
  readonly measuring: Measuring;
  readonly desk: VolumeDesk;
  /** The active one. */
  cell(): Cell | undefined;
  viewports(): readonly Viewport[];
  /** For the left button, while it draws no mark. */
  tool(): DragTool;
  choose(tool: DragTool, mark?: MarkKind): void;
  planes(): void;
  slab(): void;
  /** Scrolling of viewports together. */
  readonly link: Switch;
  readonly texts: Switch;
}

export function groupsOf(acts: Acts): Group[] {
  const { measuring, desk } = acts;
  const active = () => acts.cell()?.viewport;
  const on = (act: (viewport: Viewport) => void) => () => {
    const viewport = active();
    if (viewport !== undefined) act(viewport);
  };
  const isFlat = () => !desk.isOn; // a volume has buttons of its own
  const tools = TOOLS.map(([tool, shortcut]) => ({ key: `tool.${tool}` as WordKey, shortcut, act: () => acts.choose(tool), isOn: () => acts.tool() === tool && measuring.kind === undefined }));
  const marks = MARKS.map(([mark, shortcut]) => ({ key: `tool.${mark}` as WordKey, shortcut, act: () => acts.choose(acts.tool(), mark), isOn: () => measuring.kind === mark }));
  return [
    { leaves: 0, entries: tools },
    { leaves: 7, entries: [
      { key: 'act.undo', shortcut: 'Control+Z', act: () => measuring.undo(), isEnabled: () => measuring.canUndo },
      { key: 'act.save', act: () => void measuring.save(active()?.stack?.study ?? ''), isEnabled: () => measuring.canSave(active()?.stack?.study) },
    ] },
    { leaves: 6, entries: marks },
    { leaves: 2, entries: [
      { key: 'act.auto', shortcut: 'a', act: on((viewport) => viewport.resetWindow()), isEnabled: isFlat },
      { key: 'act.fit', shortcut: 'f', act: on((viewport) => viewport.fit()), isEnabled: isFlat },
      { key: 'act.one_to_one', shortcut: 'o', act: on((viewport) => viewport.oneToOne()), isEnabled: isFlat },
      { key: 'act.rotate', shortcut: 'r', act: on((viewport) => viewport.turn()), isEnabled: isFlat },
      { key: 'act.flip', shortcut: 'h', act: on((viewport) => viewport.mirror()), isEnabled: isFlat },
      { key: 'act.invert', shortcut: 'i', act: on((viewport) => viewport.turnWhite()), isOn: () => active()?.isTurnedWhite === true, isEnabled: isFlat },
    ] },
    { leaves: 3, entries: [
      { key: 'act.cine', shortcut: 'Space', act: () => acts.cell()?.cine.toggle(), isOn: () => acts.cell()?.cine.isPlaying === true, isEnabled: () => (active()?.count ?? 0) > 1 },
      { key: 'act.planes', act: () => acts.planes(), isEnabled: () => active()?.stack instanceof FrameStack && (active()?.count ?? 0) > 3 },
      { key: 'act.volume', shortcut: 'v', act: () => desk.toggle(), isOn: () => desk.isOn, isEnabled: () => desk.canToggle },
      { key: 'act.slab', act: () => acts.slab(), isOn: () => acts.viewports().some(({ stack }) => stack instanceof PlaneStack && stack.slab > 0), isEnabled: () => acts.viewports().some(({ stack }) => stack instanceof PlaneStack) },
      { key: 'act.link', act: acts.link.toggle, isOn: acts.link.isOn },
      { key: 'act.overlay', act: acts.texts.toggle, isOn: acts.texts.isOn },
    ] },
  ];
}

// The keyboard on an image: everything that the mouse does.
import { presetsOf } from '../image/windows';
import type { Cine } from '../viewport/cine';
import type { Viewport } from '../viewport/viewport';

const STEPS: Readonly<Record<string, number>> = {
  ArrowUp: -1,
  ArrowLeft: -1,
  ArrowDown: 1,
  ArrowRight: 1,
  PageUp: -10,
  PageDown: 10,
  Home: -Infinity,
  End: Infinity,
};
const PAN = 24;

/** True when the key meant something. */
export function pressed(event: KeyboardEvent, viewport: Viewport, cine: Cine): boolean {
  if (event.ctrlKey || event.altKey || event.metaKey) return false;
  const step = STEPS[event.key];
  if (step !== undefined && event.shiftKey) {
    const isAcross = event.key === 'ArrowLeft' || event.key === 'ArrowRight';
    if (Math.abs(step) !== 1) return false;
    viewport.pan(isAcross ? step * PAN : 0, isAcross ? 0 : step * PAN);
    return true;
  }
  if (step !== undefined) {
    if (Number.isFinite(step)) viewport.step(step);
    else viewport.go(step > 0 ? viewport.count - 1 : 0, true);
    return true;
  }
  if (/^[1-9]$/.test(event.key)) return preset(viewport, Number(event.key));
  const middle = { x: viewport.size.width / 2, y: viewport.size.height / 2 };
  const acts: Readonly<Record<string, () => void>> = {
    a: () => viewport.resetWindow(),
    f: () => viewport.fit(),
    o: () => viewport.oneToOne(),
    r: () => viewport.turn(),
    h: () => viewport.mirror(),
    i: () => viewport.turnWhite(),
    '+': () => viewport.zoom(1.25, middle),
    '-': () => viewport.zoom(0.8, middle),
    '.': () => cine.faster(1.25),
    ',': () => cine.faster(0.8),
    ' ': () => cine.toggle(),
  };
  const act = acts[event.key];
  act?.();
  return act !== undefined;
}

/** The windows of the header first, then those of the modality. */
export function presetWindows(viewport: Viewport): ReturnType<typeof presetsOf> {
  const { header } = viewport;
  if (header === undefined || !(header.photometricInterpretation.startsWith('MONOCHROME') || header.photometricInterpretation === '')) return [];
  return [...header.windows, ...presetsOf(header.modality)].slice(0, 9);
}

function preset(viewport: Viewport, number: number): boolean {
  const window = presetWindows(viewport)[number - 1];
  if (window !== undefined) viewport.setWindow(window);
  return window !== undefined;
}

// Windows: what a header means by them, what is shown when it says nothing, and presets by modality (PS3.3 C.11.2, docs/imaging.md).

export type VoiFunction = 'LINEAR' | 'LINEAR_EXACT' | 'SIGMOID';

/** In modality values. */
export interface Window {
  readonly center: number;
  readonly width: number;
  readonly shape: VoiFunction;
  readonly name?: string;
}

/** A window that the pixels of a frame decide. */
export type Automatic = 'range' | 'from-zero' | 'percentiles';

export function shapeOf(text: string): VoiFunction {
  return text === 'LINEAR_EXACT' || text === 'SIGMOID' ? text : 'LINEAR';
}

/** The window as it can be meant; undefined for a width that is a placeholder. */
export function usable(window: Window): Window | undefined {
  if (!(window.width > 0) || !Number.isFinite(window.center) || !Number.isFinite(window.width)) return undefined;
  // The formula of LINEAR turns round below 1, where values are small by their nature (doses, velocities).
  return window.shape === 'LINEAR' && window.width < 1 ? { ...window, shape: 'LINEAR_EXACT' } : window;
}

/** From the smallest value, which is black, to the largest. */
export function rangeWindow(low: number, high: number): Window {
  let [from, to] = [low, high];
  if (!(to > from)) [from, to] = [Math.min(from, 0), Math.max(to, 0) || Number(from === 0)];
  return { center: (from + to) / 2, width: to - from, shape: 'LINEAR_EXACT' };
}

const AUTOMATIC: Readonly<Record<string, Automatic>> = {
  MR: 'percentiles',
  PT: 'from-zero',
  NM: 'from-zero',
  ...Object.fromEntries(['CR', 'DX', 'MG', 'IO', 'PX', 'RG', 'RF', 'XA'].map((name) => [name, 'range' as const])),
};

export interface Unsaid {
  modality: string;
  bitsStored: number;
  slope: number;
  intercept: number;
  rescaleType: string;
  isRescaled: boolean;
  hasModalityLut: boolean;
  /** Of stored values. */
  range: readonly [number, number];
}

/** What is shown when neither the reader nor the header says so. */
export function usual(frame: Unsaid): Window | Automatic {
  const isHounsfield = frame.isRescaled && (frame.rescaleType === '' || frame.rescaleType === 'HU') && !frame.hasModalityLut;
  if (frame.modality === 'CT' && isHounsfield) return { center: 40, width: 400, shape: 'LINEAR' };
  const automatic = AUTOMATIC[frame.modality];
  if (automatic !== undefined) return automatic;
  if (frame.bitsStored <= 8 && !frame.hasModalityLut) {
    const ends = frame.range.map((end) => end * frame.slope + frame.intercept);
    return rangeWindow(Math.min(...ends), Math.max(...ends));
  }
  return 'range';
}

/** Named windows for the number keys: those of the header first, then what readers of the modality know. */
const PRESETS: Readonly<Record<string, readonly Window[]>> = {
  CT: [
    { name: 'soft_tissue', center: 40, width: 400, shape: 'LINEAR' },
    { name: 'lung', center: -600, width: 1500, shape: 'LINEAR' },
    { name: 'bone', center: 480, width: 2500, shape: 'LINEAR' },
    { name: 'brain', center: 40, width: 80, shape: 'LINEAR' },
    { name: 'liver', center: 80, width: 150, shape: 'LINEAR' },
    { name: 'mediastinum', center: 50, width: 350, shape: 'LINEAR' },
  ],
};

export function presetsOf(modality: string): readonly Window[] {
  return PRESETS[modality] ?? [];
}

/** How far a pixel of dragging moves the window: a step that suits what is usual for the modality and the window at hand. */
export function dragStep(modality: string, width: number): number {
  const step = Math.max(width, 1e-6) / 256;
  return modality === 'CT' ? Math.max(1, Math.round(step)) : step;
}

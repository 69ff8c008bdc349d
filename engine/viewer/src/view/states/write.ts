// A view as a Grayscale or Color Softcopy Presentation State (PS3.3 A.33.1, A.33.2), as DICOM JSON.
import type { FrameHeader } from '../dicom/frame';
import type { Camera, Extent, Size } from '../draw/camera';
import type { Window } from '../image/windows';
import type { StackFrame } from '../load/stack';
import { reference } from '../measure/content';
import { isMeasure, newUid, type Mark } from '../measure/marks';
import { areaOf, transformationOf } from './area';
import { graphicsOf, LAYERS } from './graphics';
import { SRGB } from './srgb';

type Json = Record<string, { vr: string; Value?: unknown[]; InlineBinary?: string }>;

export const GRAYSCALE = '1.2.840.10008.5.1.4.1.1.11.1';
export const COLOR = '1.2.840.10008.5.1.4.1.1.11.2';

/** Why a view cannot be stored as one. */
export class NoState extends Error {
  constructor(readonly part: 'tables' | 'colour') {
    super(part);
  }
}

export interface View {
  readonly study: string;
  readonly series: string;
  /** The frame that is seen, and all of its series. */
  readonly frame: StackFrame;
  readonly frames: readonly StackFrame[];
  readonly camera: Camera;
  readonly extent: Extent;
  readonly size: Size;
  /** The reader's; undefined: as each header says. */
  readonly window: Window | undefined;
  /** That of the frame that is seen; undefined: a table. */
  readonly shown: Window | undefined;
  readonly isTurnedWhite: boolean;
  noted(frame: StackFrame): readonly { readonly mark: Mark; readonly lines: readonly string[] }[];
}

/** Throws `NoState`. `now` in the reader's time. */
export function stateOf(view: View, description: string, creator: string, now: Date): Json {
  const { header } = view.frame;
  const ds = header.dataSet;
  const isGrey = header.photometricInterpretation.startsWith('MONOCHROME');
  if (isGrey && (header.hasModalityLut || view.shown === undefined)) throw new NoState('tables');
  if (!isGrey && view.isTurnedWhite) throw new NoState('colour');
  // One state has one rescale and one area: it is for the images that are alike in them.
  const frames = view.frames.filter((frame) => isAlike(frame.header, header));
  const same = (tag: string, vr: string): Json => ({ [tag]: { vr, Value: ds[tag]?.Value ?? [] } });
  const said = (vr: string, value: string) => ({ vr, Value: value === '' ? [] : [value] });
  const two = (number: number) => String(number).padStart(2, '0');
  const { rotation, isFlipped } = transformationOf(view.camera);
  return {
    '00080005': { vr: 'CS', Value: ['ISO_IR 192'] },
    '00080016': { vr: 'UI', Value: [isGrey ? GRAYSCALE : COLOR] },
    '00080018': { vr: 'UI', Value: [newUid()] },
    ...same('00080020', 'DA'),
    ...same('00080030', 'TM'),
    ...same('00080050', 'SH'),
    '00080060': { vr: 'CS', Value: ['PR'] },
    '00080070': { vr: 'LO', Value: ['voxcast'] },
    ...same('00080090', 'PN'),
    '0008103E': { vr: 'LO', Value: ['Views'] },
    '00081115': { vr: 'SQ', Value: [{ '00081140': { vr: 'SQ', Value: references(frames) }, '0020000E': { vr: 'UI', Value: [view.series] } }] },
    ...same('00100010', 'PN'),
    ...same('00100020', 'LO'),
    ...('00100021' in ds ? same('00100021', 'LO') : {}),
    ...same('00100030', 'DA'),
    ...same('00100040', 'CS'),
    '0020000D': { vr: 'UI', Value: [view.study] },
    '0020000E': { vr: 'UI', Value: [newUid()] },
    ...same('00200010', 'SH'),
    '00200011': { vr: 'IS', Value: [9001] },
    '00200013': { vr: 'IS', Value: [1] },
    ...same('00200060', 'CS'), // of paired parts; empty where it is not said
    ...(isGrey ? greysOf(view, frames) : { '00282000': { vr: 'OB', InlineBinary: SRGB } }),
    '00700080': { vr: 'CS', Value: [labelOf(description)] },
    '00700081': said('LO', description.slice(0, 64)),
    '00700082': { vr: 'DA', Value: [`${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}`] },
    '00700083': { vr: 'TM', Value: [`${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}`] },
    '00700084': { vr: 'PN', Value: creator === '' ? [] : [{ Alphabetic: creator.replace(/[\\=^]/g, ' ').slice(0, 64) }] },
    '0070005A': { vr: 'SQ', Value: [displayed(view)] },
    ...(rotation === 0 && !isFlipped ? {} : { '00700041': { vr: 'CS', Value: [isFlipped ? 'Y' : 'N'] }, '00700042': { vr: 'US', Value: [rotation] } }),
    ...annotations(view, frames),
  };
}

function isAlike(one: FrameHeader, other: FrameHeader): boolean {
  return (['slope', 'intercept', 'rescaleType', 'isInverted', 'rows', 'columns', 'pixelAspect', 'photometricInterpretation', 'sopClassUid', 'hasModalityLut'] as const).every((name) => one[name] === other[name]);
}

function references(frames: readonly StackFrame[]): Json[] {
  const found = new Map<string, { header: FrameHeader; numbers: number[] }>();
  for (const { header } of frames) {
    const held = found.get(header.sopInstanceUid) ?? { header, numbers: [] };
    held.numbers.push(header.frameNumber);
    found.set(header.sopInstanceUid, held);
  }
  return [...found.values()].map(({ header, numbers }) => {
    const one = reference(header.sopClassUid, header.sopInstanceUid);
    return numbers.length === header.frameCount ? one : { ...one, '00081160': { vr: 'IS', Value: numbers.sort((a, b) => a - b) } };
  });
}

/** Rescale, windows by image, and whether black is white. */
function greysOf(view: View, frames: readonly StackFrame[]): Json {
  const { header } = view.frame;
  const windows = new Map<string, { window: Window; frames: StackFrame[] }>();
  for (const frame of frames) {
    const window = view.window ?? frame.header.windows[0] ?? (view.shown as Window);
    const key = `${window.center} ${window.width} ${window.shape}`;
    const held = windows.get(key) ?? { window, frames: [] };
    held.frames.push(frame);
    windows.set(key, held);
  }
  const isInverse = header.isInverted !== view.isTurnedWhite;
  return {
    ...(header.isRescaled
      ? { '00281052': { vr: 'DS', Value: [header.intercept] }, '00281053': { vr: 'DS', Value: [header.slope] }, '00281054': { vr: 'LO', Value: [header.rescaleType || (header.modality === 'CT' ? 'HU' : 'US')] } }
      : {}),
    '00283110': {
      vr: 'SQ',
      Value: [...windows.values()].map(({ window, frames: those }) => ({
        ...(windows.size > 1 ? { '00081140': { vr: 'SQ', Value: references(those) } } : {}),
        '00281050': { vr: 'DS', Value: [short(window.center)] },
        '00281051': { vr: 'DS', Value: [short(window.width)] },
        ...(window.shape === 'LINEAR' ? {} : { '00281056': { vr: 'CS', Value: [window.shape] } }),
      })),
    },
    '20500020': { vr: 'CS', Value: [isInverse ? 'INVERSE' : 'IDENTITY'] },
  };
}

function displayed({ camera, extent, size, frame }: View): Json {
  const { topLeft, bottomRight } = areaOf(camera, extent, size);
  const { spacing, pixelAspect } = frame.header;
  return {
    '00700052': { vr: 'SL', Value: [...topLeft] },
    '00700053': { vr: 'SL', Value: [...bottomRight] },
    '00700100': { vr: 'CS', Value: ['SCALE TO FIT'] },
    ...(spacing !== undefined && !spacing.isAtDetector
      ? { '00700101': { vr: 'DS', Value: [short(spacing.row), short(spacing.column)] } }
      : { '00700102': { vr: 'IS', Value: pixelAspect === 1 ? [1, 1] : [Math.round(pixelAspect * 10_000), 10_000] } }),
  };
}

function annotations(view: View, frames: readonly StackFrame[]): Json {
  const items: Json[] = [];
  const used = new Set<string>();
  for (const frame of frames) {
    const noted = view.noted(frame);
    for (const layer of LAYERS) {
      const those = noted.filter(({ mark }) => isMeasure(mark) === (layer === 'MEASUREMENTS')).map(({ mark, lines }) => graphicsOf(mark, lines));
      const [texts, graphics] = [those.flatMap((one) => one.texts), those.flatMap((one) => one.graphics)];
      if (texts.length + graphics.length === 0) continue;
      used.add(layer);
      items.push({
        '00081140': { vr: 'SQ', Value: references([frame]) },
        '00700002': { vr: 'CS', Value: [layer] },
        ...(texts.length === 0 ? {} : { '00700008': { vr: 'SQ', Value: texts } }),
        ...(graphics.length === 0 ? {} : { '00700009': { vr: 'SQ', Value: graphics } }),
      });
    }
  }
  if (items.length === 0) return {};
  const layers = [...used].map((layer, at) => ({ '00700002': { vr: 'CS', Value: [layer] }, '00700062': { vr: 'IS', Value: [at + 1] } }));
  return { '00700001': { vr: 'SQ', Value: items }, '00700060': { vr: 'SQ', Value: layers } };
}

/** A code string of 16 capitals. */
function labelOf(description: string): string {
  return description.toUpperCase().replace(/[^A-Z0-9_ ]/g, ' ').trim().slice(0, 16).trim() || 'VIEW';
}

/** DS holds 16 characters. */
function short(value: number): number {
  return Number(value.toPrecision(9));
}

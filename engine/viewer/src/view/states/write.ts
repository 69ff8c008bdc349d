// A view as a Grayscale or Color Softcopy Presentation State (PS3.3 A.33.1, A.33.2), as DICOM JSON.
import { base64, itemsOf, textOf, type DataSet } from '../dicom/attributes';
import type { FrameHeader } from '../dicom/frame';
import type { Camera, Extent, Size } from '../draw/camera';
import type { Lut } from '../image/lut';
import type { Window } from '../image/windows';
import type { Greys } from '../viewport/greys';
import type { StackFrame } from '../load/stack';
import { reference } from '../measure/content';
import { isMeasure, newUid, type Mark } from '../measure/marks';
import { areaOf, transformationOf } from './area';
import { graphicsOf, LAYERS } from './graphics';
import type { Presented } from './presented';
import { SRGB } from './srgb';

type Json = Record<string, { vr: string; Value?: unknown[]; InlineBinary?: string }>;

export const GRAYSCALE = '1.2.840.10008.5.1.4.1.1.11.1';
export const COLOR = '1.2.840.10008.5.1.4.1.1.11.2';

/** Why a view cannot be stored as one. */
export class NoState extends Error {
  constructor(readonly part: 'colour') {
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
  /** Those of the frame that is seen; undefined: it has colours. */
  readonly greys: Greys | undefined;
  readonly isTurnedWhite: boolean;
  /** The state that it is seen through. */
  readonly presented: Presented | undefined;
  noted(frame: StackFrame): readonly { readonly mark: Mark; readonly lines: readonly string[] }[];
}

/** Throws `NoState`. `now` in the reader's time. */
export function stateOf(view: View, description: string, creator: string, now: Date): Json {
  const { header } = view.frame;
  const ds = header.dataSet;
  const isGrey = header.photometricInterpretation.startsWith('MONOCHROME');
  if (!isGrey && view.isTurnedWhite) throw new NoState('colour');
  // One state has one rescale and one area: it is for the images that are alike in them. A table, or what another state says, is that of the image at hand.
  const plan = view.greys?.plan;
  const isAlone = view.presented !== undefined || plan?.modalityLut !== undefined || (plan !== undefined && !('width' in plan.voi)) || header.hasModalityLut;
  const frames = view.frames.filter((frame) => isAlike(frame.header, header) && (!isAlone || frame.header.sopInstanceUid === header.sopInstanceUid));
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
    ...view.presented?.laidOver,
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

/** Rescale or tables, windows by image, and whether black is white. */
function greysOf(view: View, frames: readonly StackFrame[]): Json {
  const { header } = view.frame;
  const plan = view.greys?.plan;
  const windows = new Map<string, { voi: Window | Lut; frames: StackFrame[] }>();
  for (const frame of frames) {
    const voi = view.window ?? (view.presented === undefined && plan !== undefined && 'width' in plan.voi ? frame.header.windows[0] : undefined) ?? plan?.voi;
    if (voi === undefined) continue; // the server drew it as its header says
    const key = 'width' in voi ? `${voi.center} ${voi.width} ${voi.shape}` : 'table';
    const held = windows.get(key) ?? { voi, frames: [] };
    held.frames.push(frame);
    windows.set(key, held);
  }
  const isInverse = plan?.isInverted ?? header.isInverted !== view.isTurnedWhite;
  const { slope, intercept } = plan ?? header;
  const type = header.rescaleType || (header.modality === 'CT' ? 'HU' : 'US');
  return {
    ...(plan?.modalityLut !== undefined
      ? { '00283000': { vr: 'SQ', Value: [{ ...tableOf(plan.modalityLut, header.isSigned, 1), '00283004': { vr: 'LO', Value: [textOf(itemsOf(header.dataSet, '00283000')[0], '00283004') || 'US'] } }] } }
      : header.isRescaled || slope !== 1 || intercept !== 0
        ? { '00281052': { vr: 'DS', Value: [intercept] }, '00281053': { vr: 'DS', Value: [slope] }, '00281054': { vr: 'LO', Value: [type] } }
        : {}),
    ...(windows.size === 0 ? {} : {
      '00283110': {
        vr: 'SQ',
        Value: [...windows.values()].map(({ voi, frames: those }) => ({
          ...(windows.size > 1 ? { '00081140': { vr: 'SQ', Value: references(those) } } : {}),
          ...('width' in voi ? windowOf(voi) : { '00283010': { vr: 'SQ', Value: [tableOf(voi, plan?.modalityLut === undefined && (header.isSigned || intercept < 0 || slope < 0), full(voi))] } }),
        })),
      },
    }),
    ...(plan?.presentationLut === undefined
      ? { '20500020': { vr: 'CS', Value: [isInverse ? 'INVERSE' : 'IDENTITY'] } }
      : { '20500010': { vr: 'SQ', Value: [tableOf(isInverse ? turned(plan.presentationLut) : plan.presentationLut, false, full(plan.presentationLut))] } }),
  };
}

function windowOf({ center, width, shape }: Window): Json {
  return {
    '00281050': { vr: 'DS', Value: [short(center)] },
    '00281051': { vr: 'DS', Value: [short(width)] },
    ...(shape === 'LINEAR' ? {} : { '00281056': { vr: 'CS', Value: [shape] } }),
  };
}

/**
 * An item of a LUT sequence (PS3.3 C.11.1.1, C.11.2.1.1).
 * @param isSigned what goes in can be negative
 * @param factor what 16 bits make of an entry: of a Modality LUT entries are values, of others shares of the full scale
 */
function tableOf({ first, values, name }: Lut, isSigned: boolean, factor: number): Json {
  const bytes = new Uint8Array(Uint16Array.from(values, (value) => Math.round(value * factor)).buffer);
  const bits = 16; // the only number that all of these modules allow for words
  return {
    '00283002': { vr: isSigned ? 'SS' : 'US', Value: [isSigned && values.length > 0x7fff ? (values.length << 16) >> 16 : values.length & 0xffff, first, bits] },
    ...(name === '' ? {} : { '00283003': { vr: 'LO', Value: [name.slice(0, 64)] } }),
    '00283006': { vr: 'OW', InlineBinary: base64(bytes) },
  };
}

/** From the full scale of a table to that of 16 bits. */
function full({ bits }: Lut): number {
  return 0xffff / (2 ** bits - 1);
}

/** A table and an inversion in one: no state has both. */
function turned(table: Lut): Lut {
  return { ...table, values: new Uint16Array(table.values).map((value) => 2 ** table.bits - 1 - value) };
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
  const whole = new Set<string>(); // marks that are for all frames of an image are said once
  for (const frame of frames) {
    const noted = view.noted(frame);
    const all = noted.filter(({ mark }) => mark.key.endsWith(' *') && !whole.has(mark.uid));
    for (const { mark } of all) whole.add(mark.uid);
    const of = frames.filter(({ header }) => header.sopInstanceUid === frame.header.sopInstanceUid);
    for (const [marks, those] of [[noted.filter(({ mark }) => !mark.key.endsWith(' *')), [frame]], [all, of]] as const) {
      for (const layer of LAYERS) {
        const drawn = marks.filter(({ mark }) => isMeasure(mark) === (layer === 'MEASUREMENTS')).map(({ mark, lines }) => graphicsOf(mark, lines));
        const [texts, graphics] = [drawn.flatMap((one) => one.texts), drawn.flatMap((one) => one.graphics)];
        if (texts.length + graphics.length === 0) continue;
        used.add(layer);
        items.push({
          '00081140': { vr: 'SQ', Value: references(those) },
          '00700002': { vr: 'CS', Value: [layer] },
          ...(texts.length === 0 ? {} : { '00700008': { vr: 'SQ', Value: texts } }),
          ...(graphics.length === 0 ? {} : { '00700009': { vr: 'SQ', Value: graphics } }),
        });
      }
    }
  }
  // Layers of overlays lie where the other state had them, below what is drawn here.
  const before = (view.presented?.layers ?? []).filter((item) => !used.has(textOf(item, '00700002')));
  const colours = (item: DataSet) => Object.fromEntries(['00700066', '00700401'].flatMap((tag) => (item[tag]?.Value === undefined ? [] : [[tag, { vr: 'US', Value: item[tag].Value }]])));
  const layers = [
    ...before.map((item) => ({ '00700002': { vr: 'CS', Value: [textOf(item, '00700002')] }, ...colours(item) })),
    ...[...used].map((layer) => ({ '00700002': { vr: 'CS', Value: [layer] } })),
  ].map((layer, at) => ({ ...layer, '00700062': { vr: 'IS', Value: [at + 1] } }));
  return {
    ...(items.length === 0 ? {} : { '00700001': { vr: 'SQ', Value: items } }),
    ...(layers.length === 0 ? {} : { '00700060': { vr: 'SQ', Value: layers } }),
  };
}

/** A code string of 16 capitals. */
function labelOf(description: string): string {
  return description.toUpperCase().replace(/[^A-Z0-9_ ]/g, ' ').trim().slice(0, 16).trim() || 'VIEW';
}

/** DS holds 16 characters. */
function short(value: number): number {
  return Number(value.toPrecision(9));
}

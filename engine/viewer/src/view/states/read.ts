// What a presentation state of a study wants to be seen, and which of its parts are not drawn here.
import { inlineBytes, itemsOf, numberOf, numbersOf, personOf, textOf, textsOf, type DataSet } from '../dicom/attributes';
import { shapeOf, usable, type Window } from '../image/windows';
import type { Mark } from '../measure/marks';
import { displayedPoint, type Area, type Transformation } from './area';
import type { Point } from '../draw/matrix';
import { LAYERS, marksOf } from './graphics';
import { COLOR, GRAYSCALE } from './write';

export type Missed = 'screen' | 'graphic' | 'compound' | 'mask' | 'profile' | 'aspect' | 'greys';

export interface ViewState {
  readonly dataSet: DataSet;
  readonly uid: string;
  /** Label or description, who, when. */
  readonly name: string;
  readonly creator: string;
  readonly when: string;
  readonly isOurs: boolean;
  readonly series: string;
  /** Whether it is for a frame. */
  holds(key: string): boolean;
  /** The item of Softcopy VOI LUT Sequence that is for a frame; undefined: it says none. */
  voiOf(key: string): DataSet | undefined;
  areaOf(key: string): ShownArea | undefined;
  readonly transformation: Transformation;
  /** Of grey images. */
  readonly isInverse: boolean | undefined;
  /** Drawn by readers; and the shapes of measurements, which reports hold, too. */
  readonly marks: readonly Mark[];
  readonly measured: readonly Mark[];
  readonly missed: ReadonlySet<Missed>;
}

export interface ShownArea {
  readonly area: Area;
  /** Screen pixels for a pixel of the image, where that is said. */
  readonly magnification: number | undefined;
  /** Height of a pixel over its width, where that is said. */
  readonly aspect: number | undefined;
}

/** One for each series that the state is for; none of a kind that is not applied. */
export function statesIn(ds: DataSet, study: string): ViewState[] {
  const kind = textOf(ds, '00080016');
  if (kind !== GRAYSCALE && kind !== COLOR) return [];
  const missed = new Set<Missed>();
  if (itemsOf(ds, '00286100').length > 0) missed.add('mask');
  if (kind === COLOR && !isPlainSrgb(ds)) missed.add('profile');
  const vois = itemsOf(ds, '00283110');
  const rotation = numberOf(ds, '00700042') ?? 0;
  const shape = textOf(ds, '20500020');
  const date = /^(\d{4})(\d{2})(\d{2})$/.exec(textOf(ds, '00700082'));
  const time = /^(\d{2})(\d{2})/.exec(textOf(ds, '00700083'));
  const uid = textOf(ds, '00080018');
  const isOurs = textOf(ds, '00080070') === 'voxcast';
  const transformation = { rotation: ((((rotation % 360) + 360) % 360) as Transformation['rotation']), isFlipped: textOf(ds, '00700041') === 'Y' };
  const areaOf = (key: string) => itemsOf(ds, '0070005A').filter((item) => isFor(item, key)).map(areaIn)[0];
  const name = textOf(ds, '00700081') || textOf(ds, '00700080') || uid;
  return itemsOf(ds, '00081115').map((series, at, all) => {
    const holds = holding(series);
    const marks: Mark[] = [];
    const measured: Mark[] = [];
    for (const item of itemsOf(ds, '00700001')) {
      const those = isOurs && textOf(item, '00700002') === LAYERS[1] ? measured : marks;
      // Without references it is for all images of the state: they are drawn on each.
      for (const key of keysIn('00081140' in item ? item : series).flatMap((one) => framesOf(one, series))) {
        const shown = areaOf(key)?.area;
        const onScreen = shown && ((point: Point) => displayedPoint(shown, transformation, point));
        if (holds(key)) those.push(...marksOf(item, study, key, uid, onScreen, (part) => missed.add(part)));
      }
    }
    return {
      dataSet: ds,
      uid,
      name: all.length > 1 ? `${name} (${at + 1}/${all.length})` : name,
      creator: personOf(ds, '00700084'),
      when: [date && `${date[1]}-${date[2]}-${date[3]}`, time && `${time[1]}:${time[2]}`].filter(Boolean).join(' '),
      isOurs,
      series: textOf(series, '0020000E'),
      holds,
      voiOf: (key) => vois.find((item) => isFor(item, key)),
      areaOf,
      transformation,
      isInverse: kind === GRAYSCALE ? shape === 'INVERSE' : undefined,
      marks,
      measured,
      missed,
    };
  });
}

/** "UID n" for each frame number; "UID *" for all frames of an image. */
function keysIn(ds: DataSet): string[] {
  return itemsOf(ds, '00081140').flatMap((one) => {
    const uid = textOf(one, '00081155');
    const numbers = textsOf(one, '00081160');
    return numbers.length === 0 ? [`${uid} *`] : numbers.map((number) => `${uid} ${number}`);
  });
}

/** All frames of an image are those that the state is for. */
function framesOf(key: string, series: DataSet): string[] {
  const keys = keysIn(series);
  return !key.endsWith(' *') || keys.includes(key) ? [key] : keys.filter((one) => one.startsWith(key.slice(0, -1)));
}

function holding(ds: DataSet): (key: string) => boolean {
  const keys = new Set(keysIn(ds));
  const uids = new Set([...keys].map((key) => key.replace(/ .*$/, '')));
  // "UID *": of some of its frames.
  return (key) => keys.has(key) || keys.has(key.replace(/ \d+$/, ' *')) || (key.endsWith(' *') && uids.has(key.slice(0, -2)));
}

/** An item without references is for all images. */
function isFor(item: DataSet, key: string): boolean {
  return itemsOf(item, '00081140').length === 0 || holding(item)(key);
}

export function windowIn(item: DataSet): Window | undefined {
  const [center, width] = [numberOf(item, '00281050'), numberOf(item, '00281051')];
  return center === undefined || width === undefined ? undefined : usable({ center, width, shape: shapeOf(textOf(item, '00281056')) });
}

function areaIn(item: DataSet): ShownArea | undefined {
  const [left, top] = numbersOf(item, '00700052');
  const [right, bottom] = numbersOf(item, '00700053');
  if (left === undefined || top === undefined || right === undefined || bottom === undefined) return undefined;
  const magnification = textOf(item, '00700100') === 'MAGNIFY' ? numberOf(item, '00700103') : undefined;
  const [tall, wide] = ['00700101', '00700102'].map((tag) => numbersOf(item, tag)).find((numbers) => numbers.length === 2) ?? [];
  const aspect = tall !== undefined && wide !== undefined && tall > 0 && wide > 0 ? tall / wide : undefined;
  return { area: { topLeft: [left, top], bottomRight: [right, bottom] }, magnification: magnification !== undefined && magnification > 0 ? magnification : undefined, aspect };
}

/** Colours are drawn as sRGB here: whether that is what the profile says, by its name. */
function isPlainSrgb(ds: DataSet): boolean {
  const profile = ds['00282000'];
  if (profile === undefined) return true;
  const bytes = inlineBytes(profile);
  return bytes !== undefined && /sRGB/i.test(Array.from(bytes.filter((byte) => byte > 0), (byte) => String.fromCharCode(byte)).join(''));
}

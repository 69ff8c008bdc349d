// What a presentation state of a study wants to be seen, and which of its parts are not drawn here.
import { itemsOf, numberOf, numbersOf, personOf, textOf, textsOf, type DataSet } from '../dicom/attributes';
import { shapeOf, usable, type Window } from '../image/windows';
import type { Mark } from '../measure/marks';
import type { Area, Transformation } from './area';
import { LAYERS, marksOf } from './graphics';
import { COLOR, GRAYSCALE } from './write';

export type Missed = 'screen' | 'graphic' | 'compound' | 'shutter' | 'overlay' | 'mask' | 'table' | 'rescale';

export interface ViewState {
  readonly uid: string;
  /** Label or description, who, when. */
  readonly name: string;
  readonly creator: string;
  readonly when: string;
  readonly isOurs: boolean;
  readonly series: string;
  /** Whether it is for a frame. */
  holds(key: string): boolean;
  /** Of a frame; undefined: it says none. */
  windowOf(key: string): Window | undefined;
  areaOf(key: string): { readonly area: Area; readonly magnification: number | undefined } | undefined;
  readonly transformation: Transformation;
  /** Of grey images. */
  readonly isInverse: boolean | undefined;
  readonly rescale: readonly [number, number] | undefined;
  /** Drawn by readers; and the shapes of measurements, which reports hold, too. */
  readonly marks: readonly Mark[];
  readonly measured: readonly Mark[];
  readonly missed: ReadonlySet<Missed>;
}

/** One for each series that the state is for; none of a kind that is not applied. */
export function statesIn(ds: DataSet, study: string): ViewState[] {
  const kind = textOf(ds, '00080016');
  if (kind !== GRAYSCALE && kind !== COLOR) return [];
  const missed = new Set<Missed>();
  if (textOf(ds, '00181600') !== '') missed.add('shutter');
  if (itemsOf(ds, '00286100').length > 0) missed.add('mask');
  if (Object.keys(ds).some((tag) => /^60[0-9A-F]{2}0010$/.test(tag))) missed.add('overlay');
  if (itemsOf(ds, '00283000').length > 0 || itemsOf(ds, '20500010').length > 0) missed.add('table');
  const vois = itemsOf(ds, '00283110');
  if (vois.some((item) => itemsOf(item, '00283010').length > 0)) missed.add('table');
  const rotation = numberOf(ds, '00700042') ?? 0;
  const [intercept, slope] = [numberOf(ds, '00281052'), numberOf(ds, '00281053')];
  const shape = textOf(ds, '20500020');
  const date = /^(\d{4})(\d{2})(\d{2})$/.exec(textOf(ds, '00700082'));
  const time = /^(\d{2})(\d{2})/.exec(textOf(ds, '00700083'));
  const uid = textOf(ds, '00080018');
  const isOurs = textOf(ds, '00080070') === 'voxcast';
  return itemsOf(ds, '00081115').map((series) => {
    const holds = holding(series);
    const marks: Mark[] = [];
    const measured: Mark[] = [];
    for (const item of itemsOf(ds, '00700001')) {
      const those = isOurs && textOf(item, '00700002') === LAYERS[1] ? measured : marks;
      // Without references it is for all images of the state: they are drawn on each.
      for (const key of keysOf('00081140' in item ? item : series)) if (holds(key)) those.push(...marksOf(item, study, key, uid, (part) => missed.add(part)));
    }
    return {
      uid,
      name: textOf(ds, '00700081') || textOf(ds, '00700080') || uid,
      creator: personOf(ds, '00700084'),
      when: [date && `${date[1]}-${date[2]}-${date[3]}`, time && `${time[1]}:${time[2]}`].filter(Boolean).join(' '),
      isOurs,
      series: textOf(series, '0020000E'),
      holds,
      windowOf: (key) => vois.filter((item) => isFor(item, key)).map(windowIn)[0],
      areaOf: (key) => itemsOf(ds, '0070005A').filter((item) => isFor(item, key)).map(areaIn)[0],
      transformation: { rotation: ((((rotation % 360) + 360) % 360) as Transformation['rotation']), isFlipped: textOf(ds, '00700041') === 'Y' },
      isInverse: kind === GRAYSCALE ? shape === 'INVERSE' : undefined,
      rescale: kind === GRAYSCALE && itemsOf(ds, '00283000').length === 0 ? [slope ?? 1, intercept ?? 0] : undefined,
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

/** Keys of frames; of all frames of an image its first, where marks stand. */
function keysOf(ds: DataSet): string[] {
  return keysIn(ds).map((key) => key.replace(/ \*$/, ' 1'));
}

function holding(ds: DataSet): (key: string) => boolean {
  const keys = new Set(keysIn(ds));
  return (key) => keys.has(key) || keys.has(key.replace(/ \d+$/, ' *'));
}

/** An item without references is for all images. */
function isFor(item: DataSet, key: string): boolean {
  return itemsOf(item, '00081140').length === 0 || holding(item)(key);
}

function windowIn(item: DataSet): Window | undefined {
  const [center, width] = [numberOf(item, '00281050'), numberOf(item, '00281051')];
  return center === undefined || width === undefined ? undefined : usable({ center, width, shape: shapeOf(textOf(item, '00281056')) });
}

function areaIn(item: DataSet): { area: Area; magnification: number | undefined } | undefined {
  const [left, top] = numbersOf(item, '00700052');
  const [right, bottom] = numbersOf(item, '00700053');
  if (left === undefined || top === undefined || right === undefined || bottom === undefined) return undefined;
  const magnification = textOf(item, '00700100') === 'MAGNIFY' ? numberOf(item, '00700103') : undefined;
  return { area: { topLeft: [left, top], bottomRight: [right, bottom] }, magnification };
}

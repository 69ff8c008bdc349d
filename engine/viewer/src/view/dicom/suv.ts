// Standardized uptake value by body weight from a PET image's header (PS3.3 C.8.9.1, C.8.9.2; QIBA's vendor-neutral steps).
// The same rules as `engine/dicom/suv.py`: the server's pictures and the page's numbers are of one value.
import { inlineBytes, itemsOf, numberOf, textOf, textsOf, type DataSet } from './attributes';

/** What a modality value is multiplied by to be an SUVbw in g/ml, or what the header lacks for it: a wrong SUV is worse than none. */
export type Suv = { readonly factor: number } | { readonly lacks: string };

const PHILIPS = 'Philips PET Private Group';
const GE = 'GEMS_PETD_01';
const DAY_MS = 86_400_000;
const DOSE_MIN = 1e5; // Bq; a mouse is given some 5 MBq
const HALF_LIVES_MAX = 20;

class Lacking extends Error {}

export function suvOf(ds: DataSet): Suv {
  try {
    return { factor: factorOf(ds) };
  } catch (error) {
    if (error instanceof Lacking) return { lacks: error.message };
    throw error;
  }
}

function factorOf(ds: DataSet): number {
  switch (textOf(ds, '00541001')) {
    case 'GML':
      if ((textOf(ds, '00541006') || 'BW') !== 'BW') throw new Lacking('SUV Type');
      return 1;
    case 'CNTS': {
      const factor = Number(privateText(ds, '7053', PHILIPS, '00'));
      if (factor > 0) return factor;
      const activity = Number(privateText(ds, '7053', PHILIPS, '09'));
      if (!(activity > 0)) throw new Lacking('SUV Factor');
      return activity * byActivity(ds);
    }
    case 'BQML':
      return byActivity(ds);
    default:
      throw new Lacking('Units');
  }
}

function byActivity(ds: DataSet): number {
  const corrections = textsOf(ds, '00280051');
  if (!corrections.includes('ATTN') || !corrections.includes('DECY')) throw new Lacking('Corrected Image');
  const grams = positive(ds, '00101030', 'Patient Weight') * 1000;
  const [drug, ...others] = itemsOf(ds, '00540016');
  if (drug === undefined || others.length > 0) throw new Lacking('Radiopharmaceutical Information Sequence');
  const dose = positive(drug, '00181074', 'Radionuclide Total Dose');
  if (dose < DOSE_MIN) throw new Lacking('Radionuclide Total Dose'); // written in another unit, probably
  const decay = textOf(ds, '00541102');
  if (decay === 'ADMIN') return grams / dose;
  if (decay !== 'START') throw new Lacking('Decay Correction');
  const halfLife = positive(drug, '00181075', 'Radionuclide Half Life');
  const waited = (scanStart(ds) - injection(ds, drug)) / 1000;
  if (!(waited >= 0 && waited < HALF_LIVES_MAX * halfLife)) throw new Lacking('Radiopharmaceutical Start Time');
  return grams / (dose * 2 ** (-waited / halfLife));
}

/** The moment that decay is corrected to: Series Time unless that was set later than the first acquisition. */
function scanStart(ds: DataSet): number {
  const series = moment(textOf(ds, '00080021'), textOf(ds, '00080031'));
  const acquisition = moment(textOf(ds, '00080022'), textOf(ds, '00080032'));
  if (series !== undefined && (acquisition === undefined || series <= acquisition)) return series;
  const own = stamped(privateText(ds, '0009', GE, '0D'));
  if (own !== undefined) return own;
  const [reference, duration] = [numberOf(ds, '00541300'), numberOf(ds, '00181242')];
  const halfLife = numberOf(itemsOf(ds, '00540016')[0], '00181075') ?? 0;
  if (acquisition === undefined || reference === undefined || duration === undefined || !(halfLife > 0)) throw new Lacking('Series Time');
  // Frame Reference Time is when the average activity was there; it counts from the start of the scan.
  const rate = Math.LN2 / halfLife;
  const span = (rate * duration) / 1000;
  const average = span > 0 ? Math.log(span / (1 - Math.exp(-span))) / rate : 0;
  return acquisition + average * 1000 - reference;
}

function injection(ds: DataSet, drug: DataSet): number {
  const whole = stamped(textOf(drug, '00181078'));
  if (whole !== undefined) return whole;
  const at = moment(textOf(ds, '00080021') || textOf(ds, '00080022'), textOf(drug, '00181072'));
  if (at === undefined) throw new Lacking('Radiopharmaceutical Start Time');
  return at > scanStart(ds) ? at - DAY_MS : at; // only a time of day: injected before midnight
}

const stamped = (text: string): number | undefined => moment(text.slice(0, 8), text.slice(8));

/** A day and a time of day without a zone, in milliseconds; of an old header with points and colons in it, too. */
function moment(date: string, time: string): number | undefined {
  const day = date.replaceAll('.', '').trim();
  const [clock = ''] = time.replaceAll(':', '').trim().split(/[+&-]/);
  const found = /^(\d{2})(\d{2})(\d{2})?(?:\.(\d+))?$/.exec(clock);
  if (!/^\d{8}$/.test(day) || found === null) return undefined;
  const [year, month, dayOfMonth] = [Number(day.slice(0, 4)), Number(day.slice(4, 6)), Number(day.slice(6))];
  const [hour, minute, second] = [Number(found[1]), Number(found[2]), Number(found[3] ?? 0)];
  if (month < 1 || month > 12 || dayOfMonth < 1 || dayOfMonth > 31 || hour > 23 || minute > 59 || second > 59) return undefined;
  return Date.UTC(year, month - 1, dayOfMonth, hour, minute, second) + Number(`0.${found[4] ?? 0}`) * 1000;
}

function positive(ds: DataSet, tag: string, name: string): number {
  const number = numberOf(ds, tag);
  if (number === undefined || !(number > 0)) throw new Lacking(name);
  return number;
}

/** A private element as text, wherever its creator has reserved a block (PS3.5 7.8.1); empty without it. */
function privateText(ds: DataSet, group: string, creator: string, element: string): string {
  for (let block = 0x10; block < 0x100; block++) {
    const reserved = block.toString(16).toUpperCase();
    if (textOf(ds, `${group}00${reserved}`) !== creator) continue;
    const found = ds[`${group}${reserved}${element}`];
    const bytes = inlineBytes(found);
    return bytes === undefined ? textOf(ds, `${group}${reserved}${element}`) : new TextDecoder('latin1').decode(bytes).replace(/[\0 ]+$/, '').trim();
  }
  return '';
}

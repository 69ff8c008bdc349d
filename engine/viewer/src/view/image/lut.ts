// Lookup tables of the header: Modality LUT, VOI LUT (PS3.3 C.11.1.1, C.11.2.1.1).
import { itemsOf, numbersOf, textOf, type DataSet } from '../dicom/attributes';

/** Input `first` gives `values[0]`, smaller ones too; what is beyond the last entry gives the last. */
export interface Lut {
  readonly first: number;
  readonly values: Uint8Array | Uint16Array;
  /** Of an entry; 2^bits - 1 is full scale. */
  readonly bits: number;
  readonly name: string;
}

const LUT_DESCRIPTOR = '00283002';
const LUT_EXPLANATION = '00283003';
export const LUT_DATA = '00283006';

/** The first item of a LUT sequence, its data fetched by `bytesOf` where it does not stand in the metadata. */
export async function firstLut(
  ds: DataSet,
  sequence: string,
  isSigned: boolean,
  bytesOf: (ds: DataSet, tag: string) => Promise<Uint8Array<ArrayBuffer>>,
): Promise<Lut | undefined> {
  const item = itemsOf(ds, sequence).find((one) => numbersOf(one, LUT_DESCRIPTOR).length === 3); // empty ones say nothing
  if (item === undefined) return undefined;
  const [count = 0, from = 0, bits = 16] = numbersOf(item, LUT_DESCRIPTOR);
  const numbers = numbersOf(item, LUT_DATA);
  const bytes = numbers.length > 0 ? bytesOfWords(numbers) : await bytesOf(item, LUT_DATA);
  return lut(count, from, bits, isSigned || from < 0, bytes, textOf(item, LUT_EXPLANATION)); // an SS says for itself that it is signed
}

/** Throws where the table is shorter than its descriptor claims. */
export function lut(count: number, from: number, bits: number, isSigned: boolean, bytes: Uint8Array<ArrayBuffer>, name: string): Lut {
  const entries = count & 0xffff || 0x10000;
  const word = from & 0xffff;
  const first = isSigned && word > 0x7fff ? word - 0x10000 : word;
  let values: Uint8Array | Uint16Array;
  if (bytes.length >= 2 * entries) values = new Uint16Array(bytes.slice(0, 2 * entries).buffer);
  else if (bits <= 8 && bytes.length >= entries) values = bytes.slice(0, entries);
  else throw new Error(`a LUT of ${bytes.length} bytes, which claims ${entries} entries of ${bits} bits`);
  let most = 0;
  for (const value of values) most = Math.max(most, value);
  const claimed = bits >= 1 && bits <= 16 ? bits : 16;
  // A descriptor that claims fewer bits than the entries have is not believed.
  return { first, values, bits: Math.max(claimed, 32 - Math.clz32(most)), name };
}

export function looked(table: Lut, value: number): number {
  const at = Math.min(Math.max(Math.round(value) - table.first, 0), table.values.length - 1);
  return table.values[at] ?? 0;
}

function bytesOfWords(numbers: readonly number[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Uint16Array.from(numbers, (number) => number & 0xffff).buffer);
}

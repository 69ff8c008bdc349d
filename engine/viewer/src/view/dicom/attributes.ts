// Reading DICOM JSON (PS3.18 annex F) as it comes from a server: anything may be missing, or of another kind than its VR says.

export interface Attribute {
  vr?: string;
  Value?: unknown[];
  InlineBinary?: string;
  BulkDataURI?: string;
}

export type DataSet = Readonly<Record<string, Attribute | undefined>>;

/** The values that are there; empty ones (null) are left out. */
export function valuesOf(ds: DataSet | undefined, tag: string): unknown[] {
  const values = ds?.[tag]?.Value;
  return Array.isArray(values) ? values.filter((value) => value !== null && value !== undefined) : [];
}

/** The numbers of an attribute: none at all when one of them is not finite, for a missing number shifts the others. */
export function numbersOf(ds: DataSet | undefined, tag: string): number[] {
  const numbers = valuesOf(ds, tag).map(Number);
  return numbers.every(Number.isFinite) ? numbers : [];
}

export function numberOf(ds: DataSet | undefined, tag: string): number | undefined {
  return numbersOf(ds, tag)[0];
}

/** The first text, without its padding; empty when there is none. */
export function textOf(ds: DataSet | undefined, tag: string): string {
  const value = valuesOf(ds, tag)[0];
  return typeof value === 'string' || typeof value === 'number' ? String(value).trim() : '';
}

/** All texts, such as those of a multi-valued CS. */
export function textsOf(ds: DataSet | undefined, tag: string): string[] {
  return valuesOf(ds, tag).map((value) => String(value).trim());
}

/** The items of a sequence. */
export function itemsOf(ds: DataSet | undefined, tag: string): DataSet[] {
  return valuesOf(ds, tag).filter((item): item is DataSet => typeof item === 'object');
}

/** A person's name as it is read: "FAMILY, Given" with the ideographic form behind it (PS3.5 6.2.1). */
export function personOf(ds: DataSet | undefined, tag: string): string {
  const name = valuesOf(ds, tag)[0];
  if (typeof name === 'string') return spoken(name);
  if (typeof name !== 'object' || name === null) return '';
  const groups = name as Record<string, unknown>;
  const group = (key: string) => (typeof groups[key] === 'string' ? spoken(groups[key]) : '');
  const alphabetic = group('Alphabetic');
  const ideographic = group('Ideographic');
  if (alphabetic && ideographic) return `${alphabetic} (${ideographic})`;
  return alphabetic || ideographic || group('Phonetic');
}

function spoken(group: string): string {
  const [family = '', given = '', middle = '', prefix = '', suffix = ''] = group.split('^').map((part) => part.trim());
  const others = [prefix, given, middle, suffix].filter(Boolean).join(' ');
  return [family, others].filter(Boolean).join(', ');
}

/** The bytes of a binary attribute that stands in the JSON itself; undefined when it has to be fetched, or is not there. */
export function inlineBytes(attribute: Attribute | undefined): Uint8Array<ArrayBuffer> | undefined {
  if (typeof attribute?.InlineBinary !== 'string') return undefined;
  return Uint8Array.from(atob(attribute.InlineBinary), (letter) => letter.charCodeAt(0));
}

/** Bytes as they stand in the JSON itself. */
export function base64(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}

// The DICOM JSON model (PS3.18 annex F): values of attributes, as text, numbers, names and dates.

export interface Attribute {
  readonly vr?: string;
  readonly Value?: readonly unknown[];
  readonly BulkDataURI?: string;
  readonly InlineBinary?: string;
}
/** A data set, or an item of a sequence: attributes by tag, eight hexadecimal digits. */
export type Item = Readonly<Record<string, Attribute | undefined>>;

interface PersonName {
  readonly Alphabetic?: string;
  readonly Ideographic?: string;
  readonly Phonetic?: string;
}

export const values = (item: Item | undefined, tag: string): unknown[] => (item?.[tag]?.Value ?? []).filter((value) => value !== null);

/** First value, `undefined` when there is none. */
export const first = (item: Item | undefined, tag: string): unknown => values(item, tag)[0];

export const numbers = (item: Item | undefined, tag: string): number[] => values(item, tag).map(Number);

export const text = (item: Item | undefined, tag: string): string => values(item, tag).map(spelled).join(", ");

export const items = (item: Item | undefined, tag: string): Item[] => values(item, tag).filter((value): value is Item => typeof value === "object");

function spelled(value: unknown): string {
  return typeof value === "object" ? personName(value as PersonName) : String(value);
}

/** A person's name: family, given; the ideographic form behind it (PS3.5 6.2.1). */
export function personName(name: string | PersonName): string {
  if (typeof name === "string") return spoken(name);
  const alphabetic = spoken(name.Alphabetic ?? "");
  const ideographic = (name.Ideographic ?? "").split("^").filter(Boolean).join(" ");
  if (alphabetic && ideographic) return `${alphabetic} (${ideographic})`;
  return alphabetic || ideographic || spoken(name.Phonetic ?? "");
}

function spoken(group: string): string {
  const [family, given, middle, prefix, suffix] = group.split("^").map((part) => part.trim());
  const others = [prefix, given, middle, suffix].filter(Boolean).join(" ");
  return [family, others].filter(Boolean).join(", ");
}

/** A DA as people read it; what is no date is shown as it is. */
export function date(item: Item | undefined, tag: string): string {
  const value = text(item, tag);
  const found = /^(\d{4})\.?(\d{2})\.?(\d{2})$/.exec(value);
  return found ? `${found[1]}-${found[2]}-${found[3]}` : value;
}

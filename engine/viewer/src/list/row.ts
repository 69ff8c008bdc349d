// A row of the list: what is said of one study, as text.

import { date, first, text, values, type Item } from "../api/json.js";

export interface StudyRow {
  readonly study: string;
  readonly name: string;
  readonly id: string;
  readonly birthDate: string;
  readonly sex: string;
  /** Species and breed, where the patient is an animal, and who is responsible for it. */
  readonly species: string;
  readonly breed: string;
  readonly owner: string;
  readonly date: string;
  readonly time: string;
  readonly accession: string;
  readonly description: string;
  readonly modalities: readonly string[];
  readonly series: number | null;
  readonly instances: number | null;
}

export function rowOf(item: Item): StudyRow {
  const count = (tag: string): number | null => {
    const value = Number(first(item, tag) ?? NaN);
    return Number.isFinite(value) ? value : null;
  };
  const clock = /^(\d{2})(\d{2})/.exec(text(item, "00080030"));
  return {
    study: text(item, "0020000D"),
    name: text(item, "00100010"),
    id: text(item, "00100020"),
    birthDate: date(item, "00100030"),
    sex: text(item, "00100040"),
    species: text(item, "00102201"),
    breed: text(item, "00102292"),
    owner: text(item, "00102297"),
    date: date(item, "00080020"),
    time: clock ? `${clock[1]}:${clock[2]}` : "",
    accession: text(item, "00080050"),
    description: text(item, "00081030"),
    modalities: values(item, "00080061").map(String),
    series: count("00201206"),
    instances: count("00201208"),
  };
}

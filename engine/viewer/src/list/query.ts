// What the list is asked for: in the page's address, and as the search that it makes of the server (QIDO-RS, PS3.18 10.6).

export const PERIODS = ["any", "today", "yesterday", "week", "month", "year", "between"] as const;
export type Period = (typeof PERIODS)[number];

/** Columns that the list is sorted by, with the attribute of each. */
export const COLUMNS = {
  name: "PatientName",
  id: "PatientID",
  date: "StudyDate",
  accession: "AccessionNumber",
  description: "StudyDescription",
} as const;
export type Column = keyof typeof COLUMNS;

export interface ListQuery {
  /** Beginnings of words of whatever identifies a study or its patient. */
  readonly words: string;
  readonly period: Period;
  /** Of the period "between": days as YYYY-MM-DD, or empty. */
  readonly from: string;
  readonly to: string;
  readonly modalities: readonly string[];
  readonly species: string;
  readonly sort: Column;
  readonly isDescending: boolean;
}

/** Everything, newest first: what the server gives by itself. */
export const EVERYTHING: ListQuery = {
  words: "", period: "any", from: "", to: "", modalities: [], species: "", sort: "date", isDescending: true,
};

const FIELDS = [
  "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "PatientSpeciesDescription", "PatientBreedDescription", "ResponsiblePerson",
  "StudyDate", "StudyTime", "AccessionNumber", "StudyDescription", "ModalitiesInStudy", "NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances",
].join(",");

/** From the page's address; what is not understood is as if it were not there. */
export function queryOf(address: URLSearchParams): ListQuery {
  const one = (name: string): string => address.get(name) ?? "";
  const period = PERIODS.find((known) => known === one("period")) ?? "any";
  const [sort = "", direction] = one("sort").split(".");
  const isColumn = Object.hasOwn(COLUMNS, sort);
  return {
    words: one("q"),
    period,
    from: period === "between" ? day(one("from")) : "",
    to: period === "between" ? day(one("to")) : "",
    modalities: one("modality").split(",").filter((value) => /^[A-Z0-9_]{1,16}$/.test(value)),
    species: one("species"),
    sort: isColumn ? (sort as Column) : "date",
    isDescending: isColumn ? direction === "down" : true,
  };
}

/** Into the page's address: only what differs from everything. */
export function addressOf(query: ListQuery): string {
  const said = new URLSearchParams();
  if (query.words) said.set("q", query.words);
  if (query.period !== "any") said.set("period", query.period);
  if (query.from) said.set("from", query.from);
  if (query.to) said.set("to", query.to);
  if (query.modalities.length) said.set("modality", query.modalities.join(","));
  if (query.species) said.set("species", query.species);
  if (query.sort !== "date" || !query.isDescending) said.set("sort", query.sort + (query.isDescending ? ".down" : ""));
  const text = said.toString();
  return text ? `/?${text}` : "/";
}

/** The search for rows `offset` and following. `now` is the reader's clock: periods are days where the reader is. */
export function searchOf(query: ListQuery, offset: number, limit: number, now: Date): string {
  const asked = new URLSearchParams();
  const words = query.words.trim();
  if (words) asked.set("q", words);
  const range = rangeOf(query, now);
  if (range) asked.set("StudyDate", range);
  if (query.modalities.length) asked.set("ModalitiesInStudy", query.modalities.join("\\"));
  if (query.species) asked.set("PatientSpeciesDescription", literal(query.species));
  // The server's own order is the newest first; asking for it by name would make it sort.
  if (query.sort !== "date" || !query.isDescending) asked.set("orderby", (query.isDescending ? "-" : "") + COLUMNS[query.sort]);
  asked.set("includefield", FIELDS);
  asked.set("limit", String(limit));
  if (offset) asked.set("offset", String(offset));
  return `/dicom-web/studies?${asked}`;
}

/** The search for studies by their UIDs. */
export function searchByUids(uids: readonly string[]): string {
  return `/dicom-web/studies?${new URLSearchParams({ StudyInstanceUID: uids.join(","), includefield: FIELDS, limit: String(uids.length) })}`;
}

/** A range of dates as DICOM writes it (PS3.4 C.2.2.2.5); empty for any. */
export function rangeOf(query: ListQuery, now: Date): string {
  const today = dicomDay(now);
  const back = (days: number): string => dicomDay(new Date(now.getFullYear(), now.getMonth(), now.getDate() - days));
  switch (query.period) {
    case "any": return "";
    case "today": return today;
    case "yesterday": return back(1);
    case "week": return `${back(6)}-${today}`;
    case "month": return `${back(30)}-${today}`;
    case "year": return `${back(365)}-${today}`;
    case "between": {
      const [from, to] = [query.from, query.to].map((one) => one.replaceAll("-", ""));
      return from === to ? (from ?? "") : `${from}-${to}`;
    }
  }
}

function dicomDay(date: Date): string {
  const two = (value: number): string => String(value).padStart(2, "0");
  return `${String(date.getFullYear()).padStart(4, "0")}${two(date.getMonth() + 1)}${two(date.getDate())}`;
}

const day = (text: string): string => (/^\d{4}-\d{2}-\d{2}$/.test(text) ? text : "");

/** A value as it is: what stands for other characters or for several values does so no longer. */
const literal = (value: string): string => value.replace(/[*\\]/g, "?");

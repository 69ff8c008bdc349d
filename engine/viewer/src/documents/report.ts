// A structured report as a tree of text (PS3.3 C.17.3): what each content item says, with its concept's name.

import { date, first, items, text, type Item } from "../api/json.js";

export interface ReportItem {
  /** The concept that is spoken of; empty where the item has none. */
  readonly concept: string;
  readonly value: string;
  readonly children: readonly ReportItem[];
}

export interface Report {
  readonly title: string;
  /** COMPLETE or PARTIAL, VERIFIED or UNVERIFIED, FINAL …, as the header says. */
  readonly states: readonly string[];
  readonly verifiers: readonly string[];
  readonly items: readonly ReportItem[];
  /** Whether some of it was left out: too deep, or too much. */
  readonly isCut: boolean;
}

const DEPTH_MAX = 48;
const ITEMS_MAX = 20_000;

/** Throws nothing, whatever the header holds: an item that is not understood is shown by its type. */
export function reportOf(instance: Item): Report {
  const budget = { left: ITEMS_MAX, isCut: false };
  const verifiers = items(instance, "0040A073").map((one) => [text(one, "0040A075"), text(one, "0040A027"), date(one, "0040A030")].filter(Boolean).join(", "));
  return {
    title: meaning(items(instance, "0040A043")[0]),
    states: ["0040A491", "0040A493", "0040A496"].map((tag) => text(instance, tag)).filter(Boolean),
    verifiers: verifiers.filter(Boolean),
    items: children(instance, budget, 0),
    isCut: budget.isCut,
  };
}

function children(item: Item, budget: { left: number; isCut: boolean }, depth: number): ReportItem[] {
  const found = items(item, "0040A730");
  if (found.length && depth >= DEPTH_MAX) {
    budget.isCut = true;
    return [];
  }
  const said: ReportItem[] = [];
  for (const one of found) {
    if (budget.left <= 0) {
      budget.isCut = true;
      break;
    }
    budget.left -= 1;
    said.push({ concept: meaning(items(one, "0040A043")[0]), value: valueOf(one), children: children(one, budget, depth + 1) });
  }
  return said;
}

/** A code as people read it: its meaning, else its value. */
export function meaning(code: Item | undefined): string {
  return text(code, "00080104") || text(code, "00080100") || text(code, "00080119") || text(code, "00080120");
}

/** The value of one content item, by its type (PS3.3 table C.17.3-7). */
function valueOf(item: Item): string {
  const type = text(item, "0040A040");
  switch (type) {
    case "CONTAINER": return "";
    case "TEXT": return text(item, "0040A160");
    case "CODE": return meaning(items(item, "0040A168")[0]);
    case "NUM": return measured(item);
    case "DATE": return date(item, "0040A121");
    case "TIME": return clock(text(item, "0040A122"));
    case "DATETIME": return moment(text(item, "0040A120"));
    case "PNAME": return text(item, "0040A123");
    case "UIDREF": return text(item, "0040A124");
    case "IMAGE": case "COMPOSITE": case "WAVEFORM": return references(item, type);
    case "SCOORD": case "SCOORD3D": return `${text(item, "00700023")} (${items(item, "00700022").length || (item["00700022"]?.Value?.length ?? 0) / (type === "SCOORD" ? 2 : 3)})`;
    case "TCOORD": return text(item, "0040A130");
    default: {
      const target = item["0040DB73"]?.Value?.join("."); // by reference to another item of the tree
      return target ? `→ ${target}` : type;
    }
  }
}

function measured(item: Item): string {
  const value = items(item, "0040A300")[0];
  const unit = items(value, "004008EA")[0];
  const number = text(value, "0040A30A");
  if (!number) return meaning(items(item, "0040A301")[0]); // why there is no number
  const units = text(unit, "00080100");
  // UCUM: 1 is no unit, and what stands in braces is a remark.
  const said = units === "1" || /^\{.*\}$/.test(units) ? units.replace(/^1$|[{}]/g, "") : units || meaning(unit);
  return [number, said].filter(Boolean).join(" ");
}

function references(item: Item, type: string): string {
  const frames = items(item, "00081199").map((one) => {
    const numbers = text(one, "00081160");
    return `${text(one, "00081155")}${numbers ? ` [${numbers}]` : ""}`;
  });
  return `${type} ${frames.join(", ")}`.trim();
}

function clock(value: string): string {
  const found = /^(\d{2})(\d{2})(\d{2})?/.exec(value);
  return found ? [found[1], found[2], found[3]].filter(Boolean).join(":") : value;
}

function moment(value: string): string {
  const found = /^(\d{4})(\d{2})(\d{2})(\d{2})?(\d{2})?(\d{2})?/.exec(value);
  if (!found) return value;
  const [, year, month, day, ...rest] = found;
  const time = rest.filter(Boolean).join(":");
  return [`${year}-${month}-${day}`, time].filter(Boolean).join(" ");
}

/** The first instance's own words on what it is: for the head of a document. */
export function documentTitle(instance: Item): string {
  return text(instance, "00420010") || meaning(items(instance, "0040A043")[0]) || String(first(instance, "0008103E") ?? "");
}

// The server's account of a series (GET /api/studies/…/series/…) in words.

import type { Key, Texts } from "../texts/index.js";

export interface Account {
  readonly instances: number;
  readonly isWhole: boolean;
  readonly bytes: number;
  readonly replacing: number;
  readonly transferSyntaxes: readonly { readonly uid: string; readonly name: string; readonly isLossless: boolean; readonly instances: number }[];
  readonly sources: readonly { readonly door: string; readonly peer: string; readonly called: string; readonly instances: number }[];
  readonly defects: readonly { readonly code: string; readonly meaning: string; readonly instances: number }[];
  readonly firstReceived: string | null;
  readonly lastReceived: string | null;
}

export interface Fact {
  readonly term: Key;
  readonly lines: readonly string[];
  readonly isWarning?: boolean;
}

const DOORS: Readonly<Record<string, Key>> = { "c-store": "passport.door.c-store", stow: "passport.door.stow", import: "passport.door.import" };

/** What there is to say, in the order in which it is asked for. */
export function facts(account: Account, { say, language }: Texts): Fact[] {
  const counted = (words: string, count: number): string => (count === account.instances ? words : say("passport.some", { words, count }));
  const when = (text: string): string => new Date(text).toLocaleString(language, { dateStyle: "medium", timeStyle: "medium", numberingSystem: "latn" });
  const lossy = account.transferSyntaxes.filter((one) => !one.isLossless);
  const all: (Fact | false)[] = [
    { term: "passport.images", lines: [say(account.isWhole ? "passport.count" : "passport.count_part", { count: account.instances, size: size(account.bytes) })] },
    { term: "passport.stored", lines: account.transferSyntaxes.map((one) => counted(one.name === "unknown" ? one.uid : one.name, one.instances)) },
    lossy.length === 0
      ? { term: "passport.loss", lines: [say("passport.lossless")] }
      : { term: "passport.loss", lines: [say("passport.lossy", { count: lossy.reduce((sum, one) => sum + one.instances, 0) })], isWarning: true },
    { term: "passport.bytes", lines: [say("passport.as_received")] },
    {
      term: "passport.from",
      lines: account.sources.map(({ door, peer, called, instances }) => {
        const key = DOORS[door];
        return counted([key ? say(key) : door, peer, called && `→ ${called}`].filter(Boolean).join(" "), instances);
      }),
    },
    account.firstReceived !== null && account.lastReceived !== null && {
      term: "passport.when",
      lines: [...new Set([when(account.firstReceived), when(account.lastReceived)])],
    },
    account.replacing > 0 && { term: "passport.replacing", lines: [String(account.replacing)], isWarning: true },
    // What is odd is said as the server says it, as are its reasons elsewhere.
    account.defects.length > 0 && { term: "passport.odd", lines: account.defects.map((one) => counted(one.meaning || one.code, one.instances)), isWarning: true },
  ];
  return all.filter((one) => one !== false);
}

/** As people count bytes: in thousands. */
export function size(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const power = Math.min(bytes < 1 ? 0 : Math.floor(Math.log10(bytes) / 3), units.length - 1);
  return `${Number((bytes / 1000 ** power).toPrecision(3))} ${units[power]}`;
}

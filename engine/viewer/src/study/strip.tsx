// The series of the studies that are open, each with a picture and what is worth knowing before its images are trusted.

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { api } from "../api/dicomweb.js";
import { DRAGGED_SERIES, type SeriesRef } from "../contract.js";
import { isDocumentModality } from "../documents/kinds.js";
import type { Facts } from "./facts.js";
import type { Texts } from "../texts/index.js";
import { PassportButton } from "./passport.js";
import type { SeriesRow } from "./series.js";

export interface StripProps {
  readonly texts: Texts;
  readonly rows: readonly SeriesRow[];
  readonly facts: ReadonlyMap<string, Facts>;
  readonly shown: readonly SeriesRef[];
  readonly choose: (row: SeriesRow) => void;
}

export function Strip({ texts, rows, facts, shown, choose }: StripProps): JSX.Element {
  const isShown = (row: SeriesRow): boolean => shown.some((one) => one.study === row.study && one.series === row.series);
  // Arrow keys go from one to the next; the viewer has them when the focus is there.
  const pressed = (event: KeyboardEvent): void => {
    const by = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (by === undefined || !(event.target instanceof HTMLElement)) return;
    const all = [...(event.currentTarget as HTMLElement).querySelectorAll<HTMLButtonElement>("button.series")];
    all[all.indexOf(event.target as HTMLButtonElement) + by]?.focus();
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <ul class="strip-rows" aria-label={texts.say("study.series")} onKeyDown={pressed}>
      {rows.map((row) => (
        <li key={row.series} class="strip-row">
          <SeriesButton texts={texts} row={row} facts={facts.get(row.series)} isShown={isShown(row)} choose={choose} />
          <PassportButton texts={texts} row={row} name={nameOf(row) || texts.say("study.no_description")} />
        </li>
      ))}
    </ul>
  );
}

const nameOf = (row: SeriesRow): string => [row.number ?? "", row.description].filter((part) => part !== "").join("  ");

interface SeriesButtonProps {
  readonly texts: Texts;
  readonly row: SeriesRow;
  readonly facts: Facts | undefined;
  readonly isShown: boolean;
  readonly choose: (row: SeriesRow) => void;
}

function SeriesButton({ texts, row, facts, isShown, choose }: SeriesButtonProps): JSX.Element {
  const dragged = (event: DragEvent): void => {
    event.dataTransfer?.setData(DRAGGED_SERIES, JSON.stringify({ study: row.study, series: row.series } satisfies SeriesRef));
    if (event.dataTransfer) event.dataTransfer.effectAllowed = "copy";
  };
  const name = nameOf(row);
  return (
    <button type="button" class="series" data-series={row.series} aria-current={isShown ? "true" : undefined} draggable={!isDocumentModality(row.modality)}
      onDragStart={dragged} onClick={() => choose(row)} title={name}>
      <Thumbnail texts={texts} row={row} facts={facts} />
      <span class="words" dir="auto"><bdi>{name || texts.say("study.no_description")}</bdi></span>
      <span class="badges">
        <span class="badge" dir="ltr">{row.modality || "?"}</span>
        <span class="badge">{texts.say("study.images", { count: row.instances })}</span>
        {row.laterality && <span class="badge" dir="ltr">{row.laterality}</span>}
        {facts && facts.thickness !== null && <span class="badge" dir="ltr">{`${Number(facts.thickness.toFixed(2))} mm`}</span>}
        {facts?.isLossy && <span class="badge warn">{texts.say("study.lossy")}</span>}
        {facts?.isBurnedIn && <span class="badge warn">{texts.say("study.burned_in")}</span>}
        {facts?.kind === "image" && !facts.hasScale && <span class="badge warn">{texts.say("study.no_scale")}</span>}
      </span>
    </button>
  );
}

function Thumbnail({ texts, row, facts }: { texts: Texts; row: SeriesRow; facts: Facts | undefined }): JSX.Element {
  const [isMissing, setMissing] = useState(false);
  // Chromium notes each picture that is not there as an error: none is asked for of what is no image.
  const hasNone = isMissing || isDocumentModality(row.modality) || (facts !== undefined && facts.kind !== "image" && facts.kind !== "video");
  if (hasNone) return <span class="thumb" aria-hidden="true"><span dir="ltr">{row.modality || texts.say("study.no_picture")}</span></span>;
  return (
    <span class="thumb">
      {facts && <img alt="" loading="lazy" decoding="async" fetchpriority="low" draggable={false} onError={() => setMissing(true)}
        src={`${api.address(row.study, row.series)}/thumbnail?viewport=128,128`} />}
    </span>
  );
}

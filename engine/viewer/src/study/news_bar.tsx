// What has come or gone since the study was opened, above the images: what came is said for a while, what is gone until it is read.

import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import type { Texts } from "../texts/index.js";
import type { News } from "./news.js";
import type { SeriesRow } from "./series.js";

const SAID_MS = 20_000;

export interface NewsBarProps {
  readonly texts: Texts;
  readonly news: News | null;
  /** Series whose images are others than those that were opened. */
  readonly replaced: readonly SeriesRow[];
  readonly close: () => void;
}

export function NewsBar({ texts, news, replaced, close }: NewsBarProps): JSX.Element {
  const { say } = texts;
  const isUrgent = replaced.length > 0 || (news?.gone.length ?? 0) > 0;
  useEffect(() => {
    if (!news || isUrgent) return undefined;
    const timer = setTimeout(close, SAID_MS);
    return () => clearTimeout(timer);
  }, [news, isUrgent]);
  const named = (row: SeriesRow): string => [row.modality, row.number ?? "", row.description].filter((part) => part !== "").join(" ");
  // The places are always there: what a screen reader is to say must come into an element that it knows.
  return (
    <>
      <div role="status" class="news">
        {news?.came.map(({ row, count }) => <p key={row.series} class="banner">{say("study.came", { count, series: named(row) })}</p>)}
      </div>
      <div role="alert" class="news">
        {news?.gone.map((row) => <p key={row.series} class="alarm banner">{say("study.gone", { series: named(row) })}</p>)}
        {replaced.map((row) => <p key={row.series} class="alarm banner">{say("study.replaced", { series: named(row) })}</p>)}
        {isUrgent && <p class="banner"><button type="button" onClick={close}>{say("study.understood")}</button></p>}
      </div>
    </>
  );
}

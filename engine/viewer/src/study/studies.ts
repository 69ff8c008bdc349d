// The studies that are open, and their series: fetched when the page is opened, and again when something has come or gone.

import { useEffect, useReducer, useRef, useState } from "preact/hooks";
import { api, isAbort } from "../api/dicomweb.js";
import { first, text, type Item } from "../api/json.js";
import { Failure } from "../api/failure.js";
import { searchByUids } from "../list/query.js";
import { isStackModality } from "../documents/kinds.js";
import { afterFirstImage } from "./afterwards.js";
import { follow, type Change } from "./changes.js";
import { newsOf, type News } from "./news.js";
import { seriesOf, type SeriesRow } from "./series.js";

const SERIES_MAX = 1000;
/** What stands around the images is laid out after the first one: it would come later by as much. */
const IMAGE_FIRST_MS = 200;

export interface Studies {
  readonly studies: readonly Item[];
  readonly series: readonly SeriesRow[];
  readonly failure: unknown;
  readonly retry: () => void;
}

/**
 * `told` hears what has come or gone since, when the rows say it too; `changed` hears of each series that is not what it was.
 * A function that changes from one rendering to the next is no other one: the last is called.
 */
export function useStudies(uids: readonly string[], told: (news: News) => void, changed: (changes: readonly Change[]) => void): Studies {
  const [studies, setStudies] = useState<readonly Item[]>([]);
  const [series, setSeries] = useState<readonly SeriesRow[]>([]);
  const [failure, setFailure] = useState<unknown>(null);
  const [generation, retry] = useReducer((count: number) => count + 1, 0);
  const calls = useRef({ told, changed });
  calls.current = { told, changed };
  const isBegun = useRef(false);
  useEffect(() => {
    const controller = new AbortController();
    const { signal } = controller;
    setFailure(null);
    if (!uids.length) return undefined;
    const image = isBegun.current ? undefined : afterFirstImage(signal, IMAGE_FIRST_MS);
    image?.catch(() => undefined); // given up with all else
    Promise.all([
      api.rows(searchByUids(uids), signal),
      ...uids.map((uid) => api.rows(`${api.address(uid)}/series?limit=${SERIES_MAX}`, signal)),
    ])
      .then(async ([found = [], ...rows]) => {
        if (rows.flat().some((row) => isStackModality(text(row, "00080060")))) await image;
        isBegun.current = true;
        const inOrder = uids.map((uid) => found.find((one) => first(one, "0020000D") === uid)).filter((one) => one !== undefined);
        const now = rows.flat().map(seriesOf);
        setStudies(inOrder);
        setSeries((before) => {
          const news = newsOf(before, now, uids);
          if (news.came.length || news.gone.length) queueMicrotask(() => calls.current.told(news));
          return now;
        });
        if (!inOrder.length) setFailure(new Failure(404));
      })
      .catch((error: unknown) => isAbort(error) || setFailure(error));
    return () => controller.abort();
  }, [uids, generation]);
  useEffect(() => {
    const controller = new AbortController();
    const heard = (all: readonly Change[]): void => {
      const ours = all.filter((one) => uids.includes(one.studyInstanceUID) && one.change !== "kept");
      if (!ours.length) return;
      calls.current.changed(ours);
      retry(0);
    };
    void follow(api, { heard, missed: () => retry(0) }, controller.signal);
    return () => controller.abort();
  }, [uids]);
  return { studies, series, failure, retry: () => retry(0) };
}

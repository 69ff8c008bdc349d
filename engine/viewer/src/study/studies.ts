// The studies that are open, and their series: fetched once each, from the server each time that the page is opened.

import { useEffect, useReducer, useState } from "preact/hooks";
import { api, isAbort } from "../api/dicomweb.js";
import { first, type Item } from "../api/json.js";
import { Failure } from "../api/failure.js";
import { searchByUids } from "../list/query.js";
import { seriesOf, type SeriesRow } from "./series.js";

const SERIES_MAX = 1000;

export interface Studies {
  readonly studies: readonly Item[];
  readonly series: readonly SeriesRow[];
  readonly failure: unknown;
  readonly retry: () => void;
}

export function useStudies(uids: readonly string[]): Studies {
  const [studies, setStudies] = useState<readonly Item[]>([]);
  const [series, setSeries] = useState<readonly SeriesRow[]>([]);
  const [failure, setFailure] = useState<unknown>(null);
  const [generation, retry] = useReducer((count: number) => count + 1, 0);
  useEffect(() => {
    const controller = new AbortController();
    const { signal } = controller;
    setFailure(null);
    if (!uids.length) return undefined;
    Promise.all([
      api.rows(searchByUids(uids), signal),
      ...uids.map((uid) => api.rows(`${api.address(uid)}/series?limit=${SERIES_MAX}`, signal)),
    ])
      .then(([found = [], ...rows]) => {
        const inOrder = uids.map((uid) => found.find((one) => first(one, "0020000D") === uid)).filter((one) => one !== undefined);
        setStudies(inOrder);
        setSeries(rows.flat().map(seriesOf));
        if (!inOrder.length) setFailure(new Failure(404));
      })
      .catch((error: unknown) => isAbort(error) || setFailure(error));
    return () => controller.abort();
  }, [uids, generation]);
  return { studies, series, failure, retry: () => retry(0) };
}

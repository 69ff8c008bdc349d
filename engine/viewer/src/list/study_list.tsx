// The study list's screen: what is searched for, what was found, what was opened before, what is being imported.

import type { JSX } from "preact";
import { useEffect, useMemo, useReducer, useRef, useState } from "preact/hooks";
import { api } from "../api/dicomweb.js";
import { ImportPanel } from "../importing/panel.js";
import { useDrop } from "../importing/drop.js";
import type { Importer } from "../importing/importer.js";
import { viewerAddress } from "../router.js";
import { explain } from "../shell/explain.js";
import type { Tools } from "../shell/page.js";
import { aim, glance, prepare } from "../shell/viewing.js";
import { Filters } from "./filters.js";
import { Grid } from "./grid.js";
import { Pages } from "./pages.js";
import { addressOf, EVERYTHING, queryOf, type Column, type ListQuery } from "./query.js";
import { opened, RecentList } from "./recent.js";
import type { StudyRow } from "./row.js";

const TYPING_MS = 120;
const LIST_READY = "voxcast:list-ready";

export interface StudyListProps {
  readonly tools: Tools;
  readonly importer: Importer;
  readonly address: URLSearchParams;
  readonly go: (address: string) => void;
}

export function StudyList({ tools, importer, address, go }: StudyListProps): JSX.Element {
  const { texts, settings } = tools;
  const [query, setQuery] = useState(() => queryOf(address));
  const [settled, setSettled] = useState(query);
  const [selected, select] = useState(-1);
  const [version, changed] = useReducer((count: number) => count + 1, 0);
  const [generation, again] = useReducer((count: number) => count + 1, 0);
  const seen = useRef({ modalities: new Set<string>(), species: new Set<string>() });
  const box = useRef<HTMLInputElement>(null);
  const isDragged = useDrop(importer);

  // Words are searched for as they are typed, a moment after the last key; everything else at once.
  useEffect(() => {
    const wait = query.words === settled.words ? 0 : TYPING_MS;
    const timer = setTimeout(() => setSettled(query), wait);
    return () => clearTimeout(timer);
  }, [query]);
  useEffect(() => {
    const to = addressOf(settled);
    if (to !== location.pathname + location.search) history.replaceState(null, "", to);
  }, [settled]);

  // The last search's rows stay until the first page of the next is there: a list that blinks with every key cannot be read.
  const [shown, setShown] = useState<Pages | null>(null);
  const search = useMemo(() => {
    const pages: Pages = new Pages(api, settled, () => {
      setShown(pages);
      changed(0);
    });
    return pages;
  }, [settled, generation]);
  useEffect(() => {
    select(-1);
    search.want(0, 1);
    return () => search.dispose();
  }, [search]);
  useEffect(() => importer.whenStored(() => again(0)), [importer]);
  useEffect(() => {
    const pressed = (event: KeyboardEvent): void => {
      const isTyping = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
      if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "/") box.current?.select();
      else if (event.key === "ArrowDown" && event.target === document.body) document.getElementById("studies")?.focus();
      else return;
      event.preventDefault();
    };
    document.addEventListener("keydown", pressed);
    return () => document.removeEventListener("keydown", pressed);
  }, []);

  // For whoever measures: the first rows are on the screen. From now on there is time for what the first click will need.
  useEffect(() => {
    if (!shown) return;
    requestAnimationFrame(() => {
      if (!performance.getEntriesByName(LIST_READY).length) performance.mark(LIST_READY);
      whenIdle(() => prepare(tools));
    });
  }, [shown]);

  const pages = shown;
  const count = pages?.count ?? null;
  for (let index = 0; pages && index < Math.min(count?.rows ?? 0, 600); index += 1) {
    const row = pages.row(index);
    for (const one of row?.modalities ?? []) seen.current.modalities.add(one);
    if (row?.species) seen.current.species.add(row.species);
  }
  const open = (row: StudyRow): void => {
    aim(row.study); // first of all: the line and the server work while the screen is made
    opened(settings, row.study);
    go(viewerAddress({ studies: [row.study] }));
  };
  const sortBy = (column: Column): void =>
    setQuery({ ...query, sort: column, isDescending: query.sort === column ? !query.isDescending : column === "date" });
  const down = (): void => {
    document.getElementById("studies")?.focus();
    if (selected < 0 && count?.rows) select(0);
  };
  return (
    <main class={isDragged ? "list dragged" : "list"}>
      <h1 class="hidden">{texts.say("page.studies")}</h1>
      <Filters texts={texts} query={query} change={setQuery} box={box} down={down}
        modalities={[...seen.current.modalities]} species={[...seen.current.species].sort()} />
      <div class="bar">
        <Status tools={tools} pages={pages} search={search} query={settled} reset={() => setQuery(EVERYTHING)} retry={() => search.retry()} />
        <RecentList tools={tools} open={open} />
      </div>
      {pages && <Grid texts={texts} pages={pages} version={version} query={query} selected={selected} select={select} open={open} aim={aim} glance={glance} sortBy={sortBy}
        leave={() => { select(-1); box.current?.focus(); }} />}
      <ImportPanel tools={tools} importer={importer} />
      {isDragged && <p class="drop" aria-hidden="true">{texts.say("import.drop")}</p>}
    </main>
  );
}

const IDLE_MS = 2000;

/** Not over a line that its owner wants spared. */
function whenIdle(act: () => void): void {
  const { connection } = navigator as { connection?: { saveData?: boolean } };
  if (connection?.saveData) return;
  if (typeof requestIdleCallback === "function") requestIdleCallback(act, { timeout: IDLE_MS });
  else setTimeout(act, IDLE_MS); // Safari
}

interface StatusProps {
  readonly tools: Tools;
  readonly pages: Pages | null;
  readonly search: Pages;
  readonly query: ListQuery;
  readonly reset: () => void;
  readonly retry: () => void;
}

/** How many were found, or why none is shown. */
function Status({ tools, pages, search, query, reset, retry }: StatusProps): JSX.Element {
  const { texts } = tools;
  const { say } = texts;
  if (search.failure !== null) {
    return <p class="alarm" role="alert">{explain(texts, search.failure)} <button type="button" onClick={retry}>{say("view.again")}</button></p>;
  }
  const count = pages?.count;
  const isEverything = addressOf({ ...query, sort: "date", isDescending: true }) === "/";
  let words = say("list.searching");
  if (count) {
    if (count.rows > 0) words = say(count.isLeast ? "list.at_least" : "list.found", { count: count.rows });
    else words = say(isEverything ? "list.empty" : "list.none");
  }
  return (
    <p class="status" role="status" data-ready={count ? "" : undefined}>
      {words} {count && count.rows === 0 && !isEverything && <button type="button" onClick={reset}>{say("list.reset")}</button>}
    </p>
  );
}

// The rows of the list: only those in view are elements. One stop for the tab key; arrows move, Enter opens (WAI-ARIA grid).

import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useReducer, useRef, useState } from "preact/hooks";
import { viewerAddress } from "../router.js";
import type { Texts } from "../texts/index.js";
import type { Pages } from "./pages.js";
import type { Column, ListQuery } from "./query.js";
import type { StudyRow } from "./row.js";
import { Track } from "./track.js";

const MODALITIES_SHOWN = 2; // in a row; what there are more is counted
export const ROW_PX = 48;
const BEYOND = 8;
/** Without an event for so long the hand rests. */
const REST_MS = 150;
const HELD_MS = 450;
const GLANCE_AFTER_MS = 50;

export interface GridProps {
  readonly texts: Texts;
  readonly pages: Pages;
  /** Changes with each page that came. */
  readonly version: number;
  readonly query: ListQuery;
  readonly selected: number;
  readonly select: (index: number) => void;
  readonly open: (row: StudyRow) => void;
  /** A study is about to be opened. */
  readonly aim: (study: string) => void;
  readonly glance: (study: string) => void;
  readonly sortBy: (column: Column) => void;
  readonly leave: () => void;
}

export function Grid({ texts, pages, version, query, selected, select, open, aim, glance, sortBy, leave }: GridProps): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const track = useRef(new Track()).current;
  const [height, setHeight] = useState(800);
  const [, moved] = useReducer((count: number) => count + 1, 0);
  const resting = useRef(0);
  const total = pages.count ? pages.count.rows + (pages.count.isLeast ? BEYOND : 0) : 0;
  track.resize(total * ROW_PX, height);
  const first = Math.max(0, Math.floor(track.top / ROW_PX) - BEYOND);
  const last = Math.min(total, Math.ceil((track.top + height) / ROW_PX) + BEYOND);

  useEffect(() => pages.want(first, Math.max(last, 1)), [pages, first, last, version]);
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const measure = (): void => setHeight(element.clientHeight);
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    measure();
    return () => {
      observer.disconnect();
      clearTimeout(resting.current);
    };
  }, []);
  const goTo = (top: number): void => {
    const bar = track.go(top);
    if (box.current) box.current.scrollTop = bar;
    moved(0);
  };
  useLayoutEffect(() => goTo(0), [pages]);
  const scrolled = (event: JSX.TargetedEvent<HTMLElement>): void => {
    const element = event.currentTarget;
    track.scrolled(element.scrollTop);
    moved(0);
    clearTimeout(resting.current);
    // A bar that is dragged is where it belongs already; browsers round to parts of a pixel.
    resting.current = window.setTimeout(() => {
      // Whoever has just moved the bar is told of in a moment: to put it back now would undo that.
      const isTold = Math.abs(track.top + track.shift - element.scrollTop) <= 1;
      if (isTold && Math.abs(track.rest - element.scrollTop) > 1) goTo(track.top);
    }, REST_MS);
  };

  const move = (to: number): void => {
    const index = Math.min(Math.max(to, 0), (pages.count?.rows ?? 1) - 1);
    select(index);
    const top = index * ROW_PX;
    if (top < track.top) goTo(top);
    else if (top + ROW_PX > track.top + height) goTo(top + ROW_PX - height);
  };
  const pressed = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor(height / ROW_PX) - 1);
    const moves: Readonly<Record<string, number>> = { ArrowUp: -1, ArrowDown: 1, PageUp: -page, PageDown: page, Home: -Infinity, End: Infinity };
    const by = moves[event.key];
    const row = pages.row(selected);
    if (event.key === "ArrowUp" && selected <= 0) leave();
    else if (by !== undefined) move(selected + by);
    else if (event.key === "Enter" && row) open(row);
    else if (event.key === "Escape") leave();
    else return;
    event.preventDefault();
  };

  const head = (column: Column, words: string): JSX.Element => {
    const isSorted = query.sort === column;
    return (
      <div role="columnheader" class={`cell ${column}`} aria-sort={isSorted ? (query.isDescending ? "descending" : "ascending") : "none"}>
        <button type="button" class="sort" onClick={() => sortBy(column)}>
          {words} <span aria-hidden="true">{isSorted ? (query.isDescending ? "▾" : "▴") : ""}</span>
        </button>
      </div>
    );
  };
  const rows: JSX.Element[] = [];
  for (let index = first; index < last; index += 1) {
    rows.push(<Line key={index} texts={texts} row={pages.row(index)} index={index} below={(index - first) * ROW_PX} isSelected={index === selected} open={open} aim={aim} glance={glance} select={select} />);
  }
  return (
    <div class="grid" role="grid" aria-label={texts.say("page.studies")} aria-rowcount={pages.count?.isLeast ? -1 : total + 1} aria-colcount={7} id="studies"
      tabIndex={0} aria-activedescendant={pages.row(selected) ? `study-${selected}` : undefined} onKeyDown={pressed}
      onFocus={() => selected < 0 && total > 0 && select(0)}>
      <div role="rowgroup" class="heads">
        <div role="row" class="line heading" aria-rowindex={1}>
          {head("name", texts.say("list.patient"))}
          {head("id", texts.say("list.id"))}
          {head("date", texts.say("list.date"))}
          <div role="columnheader" class="cell modalities">{texts.say("list.modalities")}</div>
          {head("description", texts.say("list.description"))}
          {head("accession", texts.say("list.accession"))}
          <div role="columnheader" class="cell count">{texts.say("list.images")}</div>
        </div>
      </div>
      <div class="scroll" role="presentation" ref={box} onScroll={scrolled}>
        <div class="all" role={rows.length ? "rowgroup" : "presentation"} style={{ height: `${track.size}px` }}>
          <div class="window" role="presentation" style={{ top: `${first * ROW_PX + track.shift}px` }}>{rows}</div>
        </div>
      </div>
    </div>
  );
}

interface LineProps {
  readonly texts: Texts;
  readonly row: StudyRow | undefined;
  readonly index: number;
  /** Pixels below the first row that is an element. */
  readonly below: number;
  readonly isSelected: boolean;
  readonly open: (row: StudyRow) => void;
  readonly aim: (study: string) => void;
  readonly glance: (study: string) => void;
  readonly select: (index: number) => void;
}

function Line({ texts, row, index, below, isSelected, open, aim, glance, select }: LineProps): JSX.Element {
  const pressed = useRef(0);
  const clicked = (event: MouseEvent): void => {
    select(index);
    // A finger that rests looks, or wants the browser's menu; it opens nothing.
    const isHeld = (event as PointerEvent).pointerType === "touch" && event.timeStamp - pressed.current > HELD_MS;
    if (isHeld) return event.preventDefault();
    if (!row || event.ctrlKey || event.metaKey || event.shiftKey) return; // the browser opens the link beside this page
    event.preventDefault();
    open(row);
  };
  // A pointer goes down a tenth of a second before its click; a finger that goes down may scroll as well.
  const down = (event: PointerEvent): void => {
    pressed.current = event.timeStamp;
    const isPlain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey;
    if (row && isPlain && event.pointerType !== "touch") aim(row.study);
  };
  // A pointer that passes over rows means none of them; one that rests, or the keyboard's cursor, does.
  const resting = useRef(0);
  const rest = (): void => {
    clearTimeout(resting.current);
    if (row) resting.current = window.setTimeout(() => glance(row.study), GLANCE_AFTER_MS);
  };
  const leave = (): void => clearTimeout(resting.current);
  const study = row?.study;
  useEffect(() => {
    if (isSelected) rest();
    return leave;
  }, [isSelected, study]);
  const place = { transform: `translateY(${below}px)` };
  if (!row) {
    return (
      <div role="row" class="line" aria-rowindex={index + 2} style={place}>
        <div role="gridcell" class="cell faint">{texts.say("page.starting")}</div>
      </div>
    );
  }
  const animal = [row.species, row.breed, row.owner].filter(Boolean).join(" · ");
  const born = [row.birthDate, row.sex].filter(Boolean).join(" · ");
  return (
    <div role="row" class="line study" id={`study-${index}`} data-study={row.study} aria-rowindex={index + 2} aria-selected={isSelected} style={place}
      onPointerEnter={rest} onPointerLeave={leave} onPointerDown={down} onClick={clicked}>
      <div role="gridcell" class="cell name">
        <a href={viewerAddress({ studies: [row.study] })} tabIndex={-1} class="strong" title={row.name} dir="auto"><bdi>{row.name || texts.say("list.no_name")}</bdi></a>
        <span class="faint" title={animal || born} dir="auto"><bdi>{animal || born}</bdi></span>
      </div>
      <div role="gridcell" class="cell id" title={row.id} dir="auto"><bdi>{row.id}</bdi></div>
      <div role="gridcell" class="cell date"><bdi>{row.date || texts.say("list.no_date")}</bdi><bdi class="faint">{row.time}</bdi></div>
      <div role="gridcell" class="cell modalities" title={row.modalities.join(", ")}>
        {row.modalities.slice(0, row.modalities.length > MODALITIES_SHOWN ? MODALITIES_SHOWN - 1 : MODALITIES_SHOWN).map((one) => <span key={one} class="badge" dir="ltr">{one}</span>)}
        {row.modalities.length > MODALITIES_SHOWN && <span class="faint" dir="ltr">+{row.modalities.length - MODALITIES_SHOWN + 1}<span class="hidden"> {row.modalities.slice(MODALITIES_SHOWN - 1).join(", ")}</span></span>}
      </div>
      <div role="gridcell" class="cell description" title={row.description} dir="auto"><bdi>{row.description}</bdi></div>
      <div role="gridcell" class="cell accession" title={row.accession} dir="auto"><bdi>{row.accession}</bdi></div>
      <div role="gridcell" class="cell count">{row.instances ?? "?"}</div>
    </div>
  );
}

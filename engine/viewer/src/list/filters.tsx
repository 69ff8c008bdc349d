// What the list can be narrowed by: words as they are typed, days, modalities, species.

import type { JSX, Ref } from "preact";
import type { Texts } from "../texts/index.js";
import { PERIODS, type ListQuery, type Period } from "./query.js";

/** Those that most archives hold; others appear when a row has them. */
const USUAL = ["CT", "MR", "PT", "US", "XA", "DX", "CR", "MG", "NM"];

export interface FiltersProps {
  readonly texts: Texts;
  readonly query: ListQuery;
  readonly change: (query: ListQuery) => void;
  readonly box: Ref<HTMLInputElement>;
  readonly down: () => void;
  /** Seen in rows so far. */
  readonly modalities: readonly string[];
  readonly species: readonly string[];
}

export function Filters({ texts, query, change, box, down, modalities, species }: FiltersProps): JSX.Element {
  const { say } = texts;
  const pressed = (event: KeyboardEvent): void => {
    if (event.key === "ArrowDown" || event.key === "Enter") down();
    else if (event.key === "Escape" && query.words) change({ ...query, words: "" });
    else return;
    event.preventDefault();
  };
  const toggle = (modality: string): void => {
    const others = query.modalities.filter((one) => one !== modality);
    change({ ...query, modalities: others.length < query.modalities.length ? others : [...others, modality] });
  };
  const chips = [...USUAL, ...[...modalities, ...query.modalities].filter((one) => !USUAL.includes(one))];
  return (
    <form class="filters" role="search" aria-label={say("list.search")} autocomplete="off" onSubmit={(event) => event.preventDefault()}>
      <input ref={box} type="search" name="q" class="words" dir="auto" spellcheck={false} value={query.words} placeholder={say("list.words_hint")}
        aria-label={say("list.words")} aria-keyshortcuts="/" onInput={(event) => change({ ...query, words: event.currentTarget.value })} onKeyDown={pressed} />
      <label class="field">{say("list.period")}{" "}
        <select name="period" value={query.period} onChange={(event) => change({ ...query, period: event.currentTarget.value as Period, from: "", to: "" })}>
          {PERIODS.map((period) => <option key={period} value={period}>{say(`list.period.${period}`)}</option>)}
        </select>
      </label>
      {query.period === "between" && (
        <>
          <label class="field">{say("list.from")} <input type="date" name="from" value={query.from} onInput={(event) => change({ ...query, from: event.currentTarget.value })} /></label>
          <label class="field">{say("list.to")} <input type="date" name="to" value={query.to} onInput={(event) => change({ ...query, to: event.currentTarget.value })} /></label>
        </>
      )}
      {(species.length > 0 || query.species) && (
        <label class="field">{say("list.species")}{" "}
          <select name="species" value={query.species} onChange={(event) => change({ ...query, species: event.currentTarget.value })}>
            <option value="">{say("list.species.all")}</option>
            {[...new Set([...species, query.species].filter(Boolean))].map((one) => <option key={one} value={one}>{one}</option>)}
          </select>
        </label>
      )}
      <div class="chips" role="group" aria-label={say("list.modalities")} dir="ltr">
        {[...new Set(chips)].map((one) => (
          <button key={one} type="button" class="chip" aria-pressed={query.modalities.includes(one)} onClick={() => toggle(one)}>{one}</button>
        ))}
      </div>
    </form>
  );
}

// Other studies of the patient, each to be put beside what is open, or opened by itself.

import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { api, isAbort } from "../api/dicomweb.js";
import { first, type Item } from "../api/json.js";
import type { StudyRow } from "../list/row.js";
import { explain } from "../shell/explain.js";
import type { Tools } from "../shell/page.js";
import { afterFirstImage } from "./afterwards.js";
import { priorsOf } from "./priors.js";

export interface PriorsProps {
  readonly tools: Tools;
  readonly study: Item;
  /** Studies that are open already. */
  readonly open: readonly string[];
  readonly add: (row: StudyRow) => void;
}

export function Priors({ tools, study, open, add }: PriorsProps): JSX.Element | null {
  const { texts } = tools;
  const [rows, setRows] = useState<readonly StudyRow[]>([]);
  const [trouble, setTrouble] = useState("");
  const uid = first(study, "0020000D");
  useEffect(() => {
    const controller = new AbortController();
    setTrouble("");
    afterFirstImage(controller.signal)
      .then(() => priorsOf(api, study, controller.signal))
      .then(setRows)
      .catch((error: unknown) => isAbort(error) || setTrouble(explain(texts, error)));
    return () => controller.abort();
  }, [uid]);
  if (trouble) return <p class="alarm" role="alert">{trouble}</p>;
  const others = rows.filter((row) => !open.includes(row.study));
  if (!others.length) return null;
  return (
    <section class="priors" aria-label={texts.say("study.priors")}>
      <h2 class="faint">{texts.say("study.priors")}</h2>
      <ul>
        {others.map((row) => (
          <li key={row.study}>
            <button type="button" class="prior" data-study={row.study} onClick={() => add(row)}>
              <bdi class="strong">{row.date || texts.say("list.no_date")}</bdi> <span class="badge" dir="ltr">{row.modalities.join(" ")}</span>
              <span class="words"><bdi>{row.description}</bdi></span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

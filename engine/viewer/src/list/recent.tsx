// Studies that were opened in this browser: it keeps their UIDs alone, what is said of them comes from the server each time.

import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { api, isAbort } from "../api/dicomweb.js";
import { viewerAddress } from "../router.js";
import type { Settings } from "../settings.js";
import { explain } from "../shell/explain.js";
import type { Tools } from "../shell/page.js";
import { searchByUids } from "./query.js";
import { rowOf, type StudyRow } from "./row.js";

const NAME = "recent";
const KEPT = 12;

/** The UIDs of studies opened last, the newest first. */
export function recent(settings: Settings): string[] {
  return settings.get<readonly string[]>(NAME, []).filter((uid) => typeof uid === "string");
}

/** Note that a study was opened. */
export function opened(settings: Settings, study: string): void {
  settings.set(NAME, [study, ...recent(settings).filter((uid) => uid !== study)].slice(0, KEPT));
}

/** A button that opens the list of them, each a link. */
export function RecentList({ tools, open }: { tools: Tools; open: (row: StudyRow) => void }): JSX.Element | null {
  const { texts, settings } = tools;
  const [isOpen, setOpen] = useState(false);
  const [rows, setRows] = useState<readonly StudyRow[] | null>(null);
  const [trouble, setTrouble] = useState("");
  const uids = recent(settings);
  useEffect(() => {
    if (!isOpen) return undefined;
    const controller = new AbortController();
    api.rows(searchByUids(uids), controller.signal)
      .then((found) => {
        const all = new Map(found.map(rowOf).map((row) => [row.study, row]));
        setRows(uids.map((uid) => all.get(uid)).filter((row) => row !== undefined));
        setTrouble("");
      })
      .catch((error: unknown) => isAbort(error) || setTrouble(explain(texts, error)));
    return () => controller.abort();
  }, [isOpen]);
  if (!uids.length) return null;
  const clicked = (event: MouseEvent, row: StudyRow): void => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    open(row);
  };
  return (
    <div class="recent" onKeyDown={(event) => event.key === "Escape" && setOpen(false)}>
      <button type="button" aria-expanded={isOpen} aria-controls="recent" onClick={() => setOpen(!isOpen)}>{texts.say("list.recent")}</button>
      {isOpen && (
        <ul id="recent" class="menu">
          {trouble && <li class="alarm" role="alert">{trouble}</li>}
          {rows?.map((row) => (
            <li key={row.study}>
              <a href={viewerAddress({ studies: [row.study] })} onClick={(event) => clicked(event, row)}>
                <span class="strong" dir="auto">{row.name || texts.say("list.no_name")}</span>
                <span class="faint"><bdi>{row.date}</bdi> <bdi>{row.description}</bdi></span>
              </a>
            </li>
          ))}
          {rows?.length === 0 && <li class="faint">{texts.say("list.recent.gone")}</li>}
        </ul>
      )}
    </div>
  );
}

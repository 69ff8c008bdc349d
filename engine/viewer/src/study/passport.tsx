// What the archive knows of a series: a button beside it opens how it is stored, where it came from, and what is odd about it.

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { api, isAbort } from "../api/dicomweb.js";
import { explain } from "../shell/explain.js";
import type { Texts } from "../texts/index.js";
import { facts, type Account } from "./account.js";
import type { SeriesRow } from "./series.js";

export function PassportButton({ texts, row, name }: { texts: Texts; row: SeriesRow; name: string }): JSX.Element {
  const [isOpen, setOpen] = useState(false);
  const label = texts.say("passport.of", { series: name });
  return (
    <>
      <button type="button" class="passport-button" aria-haspopup="dialog" aria-label={label} title={label} data-of={row.series} onClick={() => setOpen(true)}>
        <span aria-hidden="true">i</span>
      </button>
      {isOpen && <Passport texts={texts} row={row} name={name} close={() => setOpen(false)} />}
    </>
  );
}

function Passport({ texts, row, name, close }: { texts: Texts; row: SeriesRow; name: string; close: () => void }): JSX.Element {
  const { say } = texts;
  const dialog = useRef<HTMLDialogElement>(null);
  const [account, setAccount] = useState<Account | null>(null);
  const [trouble, setTrouble] = useState("");
  useEffect(() => {
    const controller = new AbortController();
    dialog.current?.showModal();
    const path = `/api/studies/${encodeURIComponent(row.study)}/series/${encodeURIComponent(row.series)}`;
    api.request(path, "application/json", controller.signal)
      .then((answer) => answer.json())
      .then((found: Account) => setAccount(found))
      .catch((error: unknown) => isAbort(error) || setTrouble(explain(texts, error)));
    return () => controller.abort();
  }, []);
  return (
    <dialog ref={dialog} class="preferences passport" aria-labelledby="passport-title" onClose={close} onKeyDown={(event) => event.stopPropagation()}
      onClick={(event) => event.target === dialog.current && dialog.current?.close()}>
      <form method="dialog">
        <h2 id="passport-title"><bdi>{name}</bdi></h2>
        {trouble && <p class="alarm" role="alert">{trouble}</p>}
        {!account && !trouble && <p role="status" class="faint">{say("page.starting")}</p>}
        {account && (
          <dl>
            {facts(account, texts).map(({ term, lines, isWarning }) => (
              <div key={term}>
                <dt class="faint">{say(term)}</dt>
                {lines.map((line, index) => <dd key={index} class={isWarning ? "alarm" : ""}><bdi>{line}</bdi></dd>)}
              </div>
            ))}
          </dl>
        )}
        <p><button>{say("page.settings.close")}</button></p>
      </form>
    </dialog>
  );
}

// What can be taken away from the screen: files of a study or series, a picture of the view, a page of paper.

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { api } from "../api/dicomweb.js";
import type { SeriesRef } from "../contract.js";
import type { Tools } from "../shell/page.js";

export interface ActionsProps {
  readonly tools: Tools;
  readonly studies: readonly string[];
  readonly series: readonly SeriesRef[];
  readonly canPicture: boolean;
  /** A document whose text or curves are in the page: it is printed as it stands. */
  readonly canPrintDocument: boolean;
  readonly picture: () => Promise<Blob | null>;
}

export function Actions({ tools, studies, series, canPicture, canPrintDocument, picture }: ActionsProps): JSX.Element {
  const { say } = tools.texts;
  const [isOpen, setOpen] = useState(false);
  const [paper, setPaper] = useState("");
  const [told, tell] = useState("");
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => () => URL.revokeObjectURL(paper), [paper]);
  // What is printed later is what is looked at then, never a picture from before.
  useEffect(() => {
    const printed = (): void => setPaper("");
    addEventListener("afterprint", printed);
    return () => removeEventListener("afterprint", printed);
  }, []);
  const taken = async (use: (address: string) => void): Promise<void> => {
    setOpen(false);
    const blob = await picture();
    if (blob) use(URL.createObjectURL(blob));
    tell(blob ? "" : say("study.nothing_shown"));
  };
  const save = (address: string): void => {
    const link = document.createElement("a");
    link.href = address;
    link.download = "view.png"; // no patient's name in the name of a file
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
  };
  const zip = (path: string): string => `${path}?accept=application/zip`;
  const close = (): void => {
    setOpen(false);
    button.current?.focus();
  };
  return (
    <div class="actions" onKeyDown={(event) => event.key === "Escape" && isOpen && (close(), event.stopPropagation())}>
      {told && <span role="status" class="alarm">{told}</span>}
      <button ref={button} type="button" aria-expanded={isOpen} aria-controls="actions" onClick={() => setOpen(!isOpen)}>{say("study.take")}</button>
      {isOpen && (
        <ul id="actions" class="menu">
          {studies.map((study) => <li key={study}><a href={zip(api.address(study))} download="">{say("study.zip")}</a></li>)}
          {series.map((one) => <li key={one.series}><a href={zip(api.address(one.study, one.series))} download="">{say("study.series_zip")}</a></li>)}
          {canPicture && <li><button type="button" class="entry" onClick={() => void taken(save)}>{say("study.png")}</button></li>}
          {canPicture && <li><button type="button" class="entry" onClick={() => void taken(setPaper)}>{say("study.print")}</button></li>}
          {canPrintDocument && <li><button type="button" class="entry" onClick={() => { setOpen(false); print(); }}>{say("study.print_document")}</button></li>}
        </ul>
      )}
      {paper && canPicture && <img class="paper-only" src={paper} alt={say("study.print")} onLoad={() => print()} />}
      {!paper && canPicture && <p class="paper-only">{say("study.print_hint")}</p>}
    </div>
  );
}

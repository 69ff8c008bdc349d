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
  readonly picture: () => Promise<Blob | null>;
}

export function Actions({ tools, studies, series, canPicture, picture }: ActionsProps): JSX.Element {
  const { say } = tools.texts;
  const [isOpen, setOpen] = useState(false);
  const [paper, setPaper] = useState("");
  const [told, tell] = useState("");
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => () => URL.revokeObjectURL(paper), [paper]);
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
        </ul>
      )}
      {paper && <img class="paper-only" src={paper} alt={say("study.print")} onLoad={() => print()} />}
    </div>
  );
}

// How an import stands: what is safe, what failed and why; buttons to begin, pause and go on.

import type { JSX } from "preact";
import { useEffect, useReducer, useRef } from "preact/hooks";
import { explain } from "../shell/explain.js";
import type { Tools } from "../shell/page.js";
import { chosen, withZips } from "./files.js";
import type { Importer } from "./importer.js";

export function ImportPanel({ tools, importer }: { tools: Tools; importer: Importer }): JSX.Element {
  const { texts } = tools;
  const { say } = texts;
  const [, changed] = useReducer((count: number) => count + 1, 0);
  useEffect(() => importer.watch(() => changed(0)), [importer]);
  const files = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);
  useEffect(() => folder.current?.setAttribute("webkitdirectory", ""), []);
  const take = (input: HTMLInputElement): void => {
    if (input.files?.length) importer.add(withZips(chosen(input.files)));
    input.value = "";
  };
  const { state } = importer;
  const isActive = state === "running" || state === "paused" || state === "interrupted";
  return (
    <section class="import" aria-label={say("import.title")}>
      <div class="import-row">
        <input ref={files} type="file" multiple hidden id="import-files" onChange={(event) => take(event.currentTarget)} />
        <input ref={folder} type="file" multiple hidden id="import-folder" onChange={(event) => take(event.currentTarget)} />
        <button type="button" onClick={() => files.current?.click()}>{say("import.files")}</button>
        <button type="button" onClick={() => folder.current?.click()}>{say("import.folder")}</button>
        {state === "idle" && <span class="faint hint">{say("import.hint")}</span>}
        {state !== "idle" && (
          <>
            <progress aria-label={say("import.title")} max={Math.max(importer.found, 1)} value={importer.sent} />
            <span role="status" class="import-status">{words(tools, importer)}</span>
          </>
        )}
        {(state === "running" || state === "interrupted") && <button type="button" onClick={() => importer.pause()}>{say("import.pause")}</button>}
        {(state === "paused" || state === "interrupted") && <button type="button" onClick={() => importer.resume()}>{say("import.resume")}</button>}
        {isActive && <button type="button" onClick={() => importer.cancel()}>{say("import.cancel")}</button>}
        {state === "done" && <button type="button" onClick={() => importer.clear()}>{say("import.close")}</button>}
      </div>
      {importer.trouble && <p class="alarm" role="alert">{explain(texts, importer.trouble)} {say("import.goes_on")}</p>}
      {importer.named.length > 0 && (
        <details class="failures" open={state === "done"}>
          <summary>{say("import.failed", { count: importer.failed })}</summary>
          <ul tabIndex={0} aria-label={say("import.failed", { count: importer.failed })}>
            {importer.named.map((one, index) => (
              <li key={index}>
                <bdi class="strong">{one.path}</bdi>{" "}
                <span dir="auto">{one.said ? say(one.said) : one.failure ? explain(texts, one.failure) : one.why || say("import.no_reason")}</span>
              </li>
            ))}
            {importer.failed > importer.named.length && <li class="faint">{say("import.more", { count: importer.failed - importer.named.length })}</li>}
          </ul>
        </details>
      )}
    </section>
  );
}

function words({ texts }: Tools, importer: Importer): string {
  const values = { count: importer.stored, found: importer.found, more: importer.isFound ? "" : "+" };
  return texts.say(`import.${importer.state === "idle" ? "running" : importer.state}`, values);
}

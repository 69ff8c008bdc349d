// What a reader chooses for this browser: language, contrast, name, how the hand begins, what stands over images.

import type { ComponentChildren, JSX } from "preact";
import { useRef } from "preact/hooks";
import type { Settings } from "../settings.js";
import { LANGUAGES, type Key, type Language } from "../texts/index.js";
import type { Tools } from "./page.js";

/** Apply the contrast that was chosen. */
export function applyContrast(settings: Settings): void {
  document.documentElement.classList.toggle("high-contrast", settings.get<string>("contrast", "calm") === "high");
}

const NAME_MAX = 64; // of a person's name, PN (PS3.5 6.2)

/** A button, and the dialogue that it opens; on every screen. */
export function Preferences({ tools }: { tools: Tools }): JSX.Element {
  const { texts, settings } = tools;
  const { say } = texts;
  const dialog = useRef<HTMLDialogElement>(null);
  const choice = (name: string, words: Key, otherwise: string, options: readonly (readonly [string, Key])[], chosen: () => void = () => undefined): JSX.Element => (
    <Line words={say(words)}>
      <select name={name} value={settings.get<string>(name, otherwise)} onChange={(event) => {
        settings.set(name, event.currentTarget.value);
        chosen();
      }}>
        {options.map(([value, key]) => <option key={value} value={value}>{say(key)}</option>)}
      </select>
    </Line>
  );
  return (
    <>
      <button type="button" class="preferences-button" aria-haspopup="dialog" onClick={() => dialog.current?.showModal()}>
        <span aria-hidden="true">⚙</span> <span class="wide-only">{say("page.settings")}</span><span class="narrow-only hidden">{say("page.settings")}</span>
      </button>
      <dialog ref={dialog} class="preferences" aria-labelledby="preferences-title" onKeyDown={(event) => event.stopPropagation()}
        onClick={(event) => event.target === dialog.current && dialog.current?.close()}>
        <form method="dialog">
          <h2 id="preferences-title">{say("page.settings")}</h2>
          <Line words={say("page.language")}>
            <select name="language" value={texts.language} onChange={(event) => {
              settings.set("language", event.currentTarget.value);
              location.reload(); // everything that is on the screen was said in the other language
            }}>
              {(Object.keys(LANGUAGES) as Language[]).map((one) => <option key={one} value={one} lang={one}>{LANGUAGES[one]}</option>)}
            </select>
          </Line>
          {choice("contrast", "page.contrast", "calm", [["calm", "page.contrast.calm"], ["high", "page.contrast.high"]], () => applyContrast(settings))}
          <Line words={say("page.creator")} hint={say("page.creator.hint")}>
            <input name="creator" type="text" dir="auto" maxLength={NAME_MAX} autocomplete="name" spellcheck={false} defaultValue={settings.get<string>("creator", "")}
              onInput={(event) => settings.set("creator", event.currentTarget.value.trim())} />
          </Line>
          {choice("tool", "page.first_tool", "window", [["window", "tool.window"], ["scroll", "tool.scroll"], ["pan", "tool.pan"], ["zoom", "tool.zoom"]])}
          {choice("overlay", "page.overlay", "all", [["all", "page.overlay.all"], ["few", "page.overlay.few"]])}
          <Line words={say("page.linked")}>
            <input name="linked" type="checkbox" defaultChecked={settings.get("linked", true)} onChange={(event) => settings.set("linked", event.currentTarget.checked)} />
          </Line>
          {choice("drawing", "page.drawing", "auto", [["auto", "page.drawing.auto"], ["gpu", "page.drawing.gpu"], ["cpu", "page.drawing.cpu"]])}
          <p class="faint">{say("page.settings.kept")}</p>
          <p><button>{say("page.settings.close")}</button></p>
        </form>
      </dialog>
    </>
  );
}

function Line({ words, hint = "", children }: { words: string; hint?: string; children: ComponentChildren }): JSX.Element {
  return <label class="preference"><span>{words}{hint && <span class="faint"> {hint}</span>}</span> {children}</label>;
}

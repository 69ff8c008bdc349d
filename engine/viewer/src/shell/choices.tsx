// What a reader chooses for this browser: language and contrast.

import type { JSX } from "preact";
import type { Settings } from "../settings.js";
import { LANGUAGES, type Language } from "../texts/index.js";
import type { Tools } from "./page.js";

/** Apply the contrast that was chosen. */
export function applyContrast(settings: Settings): void {
  document.documentElement.classList.toggle("high-contrast", settings.get<string>("contrast", "calm") === "high");
}

export function Choices({ tools }: { tools: Tools }): JSX.Element {
  const { texts, settings } = tools;
  const contrast = settings.get<string>("contrast", "calm");
  return (
    <div class="choices">
      <label class="field">{texts.say("page.contrast")}{" "}
        <select name="contrast" value={contrast} onChange={(event) => {
          settings.set("contrast", event.currentTarget.value);
          applyContrast(settings);
        }}>
          <option value="calm">{texts.say("page.contrast.calm")}</option>
          <option value="high">{texts.say("page.contrast.high")}</option>
        </select>
      </label>
      <label class="field">{texts.say("page.language")}{" "}
        <select name="language" value={texts.language} onChange={(event) => {
          settings.set("language", event.currentTarget.value);
          location.reload(); // everything that is on the screen was said in the other language
        }}>
          {(Object.keys(LANGUAGES) as Language[]).map((one) => <option key={one} value={one} lang={one}>{LANGUAGES[one]}</option>)}
        </select>
      </label>
    </div>
  );
}

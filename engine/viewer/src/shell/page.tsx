// The shell: the screen that the address asks for, below a bar with the name and the settings.

import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Importer } from "../importing/importer.js";
import { store } from "../importing/storing.js";
import { StudyList } from "../list/study_list.js";
import { placeOf, type Place } from "../router.js";
import type { Settings } from "../settings.js";
import type { Texts } from "../texts/index.js";
import { Preferences } from "./preferences.js";
import { ViewerScreen } from "./viewer_screen.js";

export interface Tools {
  readonly texts: Texts;
  readonly settings: Settings;
}

// One import for the page: it goes on while a study is looked at.
const importer = new Importer(store);

export function Shell({ tools }: { tools: Tools }): JSX.Element {
  const [place, setPlace] = useState<Place>(() => placeOf(new URL(location.href)));
  useEffect(() => {
    const moved = (): void => setPlace(placeOf(new URL(location.href)));
    const leaving = (event: BeforeUnloadEvent): void => {
      if (importer.state === "running" || importer.state === "interrupted") event.preventDefault();
    };
    addEventListener("popstate", moved);
    addEventListener("beforeunload", leaving);
    return () => {
      removeEventListener("popstate", moved);
      removeEventListener("beforeunload", leaving);
    };
  }, []);
  const go = (address: string): void => {
    history.pushState(null, "", address);
    setPlace(placeOf(new URL(location.href)));
  };
  if (place.name === "viewer") return <ViewerScreen tools={tools} params={place.params} go={go} />;
  return (
    <>
      <header class="top-bar">
        <img src="/static/icon.svg" alt="" width={20} height={20} />
        <span class="brand">voxcast</span>
        <span class="space" />
        <Preferences tools={tools} />
      </header>
      <StudyList tools={tools} importer={importer} address={place.query} go={go} />
    </>
  );
}

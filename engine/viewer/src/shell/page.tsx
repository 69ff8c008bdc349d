// The shell: which screen the address asks for.

import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Settings } from "../settings.js";
import type { Texts } from "../texts/index.js";
import { placeOf, type Place } from "../router.js";
import { ViewerScreen } from "./viewer_screen.js";

export interface Tools {
  readonly texts: Texts;
  readonly settings: Settings;
}

export function Shell({ tools }: { tools: Tools }): JSX.Element {
  const [place, setPlace] = useState<Place>(() => placeOf(new URL(location.href)));
  useEffect(() => {
    const moved = (): void => setPlace(placeOf(new URL(location.href)));
    addEventListener("popstate", moved);
    return () => removeEventListener("popstate", moved);
  }, []);
  if (place.name === "viewer") return <ViewerScreen tools={tools} params={place.params} />;
  return <main><a href="/plain/">{tools.texts.say("page.studies")}</a></main>;
}

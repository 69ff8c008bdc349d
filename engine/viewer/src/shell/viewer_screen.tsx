// The viewer's screen: fetches the viewer when it is first needed, and takes it down with the screen.

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { api } from "../api/dicomweb.js";
import type { Viewer, ViewerParams } from "../contract.js";
import type { Tools } from "./page.js";

export function ViewerScreen({ tools, params, go }: { tools: Tools; params: ViewerParams; go: (address: string) => void }): JSX.Element {
  const root = useRef<HTMLDivElement>(null);
  const [trouble, setTrouble] = useState("");
  const { texts, settings } = tools;
  useEffect(() => {
    let viewer: Viewer | null = null;
    let isOver = false;
    if (!params.studies.length) setTrouble(texts.say("page.no_study"));
    else {
      import("../view/index.js")
        .then(({ openViewer }) => {
          if (!isOver && root.current) viewer = openViewer(root.current, params, { texts, settings, api });
        })
        .catch((error: unknown) => setTrouble(texts.say("page.failed", { why: String(error) })));
    }
    return () => {
      isOver = true;
      viewer?.dispose();
    };
  }, [params, texts, settings]);
  return (
    <>
      <header class="top-bar"><button type="button" onClick={() => go("/")}>{texts.say("page.studies")}</button></header>
      {trouble && <p role="alert">{trouble}</p>}
      <div ref={root} class="viewer" />
    </>
  );
}

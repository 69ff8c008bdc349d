// The viewer's first form: the plain page's viewport of rendered pictures, in the place where the streaming viewer comes.

import { first, text } from "../api/json.js";
import { isAbort } from "../api/dicomweb.js";
import type { OpenViewer, SeriesRef } from "../contract.js";
import { framesOf } from "../../plain/frames.js";
import { rangeWindow } from "../../plain/range.js";
import { Viewport } from "../../plain/viewport.js";
import "./plain.css";

export const openViewer: OpenViewer = (root, params, { texts, api, shown }) => {
  root.replaceChildren(skeleton(texts.say));
  let metadata: Awaited<ReturnType<typeof api.rows>> = [];
  let loading = new AbortController();
  const viewport = new Viewport(async (frame: { path: string }) => {
    const instance = metadata.find((one) => frame.path.endsWith(`/instances/${encodeURIComponent(text(one, "00080018"))}`));
    try {
      return await rangeWindow(instance, frame, loading.signal);
    } catch (error) {
      if (!isAbort(error)) viewport.say(String(error));
      return null;
    }
  });

  const guarded = async (step: (signal: AbortSignal) => Promise<void>): Promise<void> => {
    loading.abort();
    loading = new AbortController();
    const { signal } = loading;
    viewport.clear(texts.say("view.loading"));
    try {
      await step(signal);
    } catch (error) {
      if (isAbort(error) || signal.aborted) return;
      viewport.clear("");
      viewport.trouble(error instanceof Error ? error.message : String(error));
    }
  };
  const show = async ({ study, series }: SeriesRef, signal: AbortSignal): Promise<void> => {
    const found = await api.rows(`${api.address(study, series)}/metadata`, signal);
    if (signal.aborted) return;
    metadata = found;
    const frames = framesOf(found, study, series);
    if (frames.length) viewport.open(frames);
    else viewport.clear(texts.say("view.no_images"));
    shown?.([{ study, series }]);
  };
  const [study = ""] = params.studies;
  void guarded(async (signal) => {
    const asked = params.series?.[0];
    if (asked !== undefined) return show({ study, series: asked }, signal);
    const [row] = await api.rows(`${api.address(study)}/series?limit=1&orderby=SeriesNumber`, signal);
    await show({ study, series: String(first(row, "0020000E")) }, signal);
  });
  return {
    show: (series) => void guarded((signal) => show(series, signal)),
    picture: () => new Promise((resolve) => {
      const canvas = viewport.canvas as unknown;
      if (canvas instanceof HTMLCanvasElement && !canvas.hidden) canvas.toBlob(resolve);
      else resolve(null);
    }),
    dispose: () => {
      loading.abort();
      viewport.clear("");
      root.replaceChildren();
    },
  };
};

/** The elements that the plain viewport looks for, made one by one: no markup is ever parsed. */
function skeleton(say: (key: "view.image" | "view.again" | "view.slice" | "view.windows") => string): DocumentFragment {
  const make = (tag: string, id: string, attributes: Record<string, string> = {}, ...inside: (Node | string)[]): HTMLElement => {
    const element = document.createElement(tag);
    if (id) element.id = id;
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...inside);
    return element;
  };
  const again = make("button", "again", { type: "button" }, say("view.again"));
  const slider = make("input", "slider", { type: "range", min: "1", max: "1", value: "1", disabled: "" });
  const whole = document.createDocumentFragment();
  // The plain viewport takes keys below an element of this name.
  whole.append(make("div", "reading", {},
    make("section", "viewport", { tabindex: "0", "aria-label": say("view.image"), dir: "ltr" },
      make("canvas", "image", { role: "img", "aria-label": "" }),
      ...["patient top left", "series top right", "slice bottom left", "window bottom right"].map((words) => {
        const [name, ...places] = words.split(" ");
        return make("div", `label-${name}`, { class: ["corner", ...places].join(" ") });
      }),
      ...["top", "bottom", "left", "right"].map((side) => make("span", `side-${side}`, { class: "side" })),
      make("p", "waiting", { role: "status" }),
      make("div", "trouble", { role: "alert", hidden: "" }, make("p", "trouble-text"), again)),
    make("footer", "", {},
      make("label", "", { class: "wide" }, `${say("view.slice")} `, slider),
      make("div", "presets", { role: "group", "aria-label": say("view.windows") }))));
  return whole;
}

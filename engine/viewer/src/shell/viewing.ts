// The viewer as the shell has it: fetched when there is time or need, told of a study before its screen is made.

import { api } from "../api/dicomweb.js";
import type { Tools } from "./page.js";

export type View = typeof import("../view/index.js");

let view: View | undefined;

/** Fetched once; rejects where it cannot be had, and the next who asks fetches it again. */
export async function fetched(): Promise<View> {
  return (view ??= await import("../view/index.js"));
}

/** The viewer if it is here already. */
export function atHand(): View | undefined {
  return view;
}

/** Have everything that the first click needs. */
export function prepare({ texts, settings }: Tools): void {
  fetched().then((found) => found.prepare({ texts, settings, api }), () => undefined); // it is fetched again at the click
}

/** A study may be opened: which series it begins with is asked now, so that its click need not. */
export function glance(study: string): void {
  view?.glance(study);
}

/** A study is about to be opened: what is needed of it is asked for while its screen is made. */
export function aim(study: string): void {
  view?.aim(study);
}

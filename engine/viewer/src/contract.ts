// What the shell and the viewer say to each other. The shell mounts a viewer below an element; the viewer knows no shell.

import type { Api } from "./api/dicomweb.js";
import type { Settings } from "./settings.js";
import type { Texts } from "./texts/index.js";

/** A series by its UIDs: what is dragged, opened, and marked in the strip. */
export interface SeriesRef {
  readonly study: string;
  readonly series: string;
}

/** What the address of the page asks for; several studies when a prior stands beside the current one. */
export interface ViewerParams {
  readonly studies: readonly string[];
  readonly series?: readonly string[];
}

export interface ViewerServices {
  readonly texts: Texts;
  readonly settings: Settings;
  readonly api: Api;
  /** Called with the series that are on the screen, each time that they change. */
  readonly shown?: (series: readonly SeriesRef[]) => void;
}

export interface Viewer {
  /** Show a series in the viewport that is in use. */
  show(series: SeriesRef): void;
  /** Show a series in a viewport beside it. */
  beside(series: SeriesRef): void;
  /** A series has become another one: images have come, gone, or (`isReplaced`) are others under the same UIDs. */
  renew(series: SeriesRef, isReplaced: boolean): void;
  /** The view with its labels as a picture, for saving and printing; null while nothing is shown. */
  picture(): Promise<Blob | null>;
  /** End everything that is under way and take the elements away. */
  dispose(): void;
}

export type OpenViewer = (root: HTMLElement, params: ViewerParams, services: ViewerServices) => Viewer;

/** The kind under which a series of the strip is dragged; its data is a `SeriesRef` as JSON. */
export const DRAGGED_SERIES = "application/x-voxcast-series";

// What the viewer says.

import type { Text } from "../index.js";

export const view = {
  "view.loading": "loading the list of images …",
  "view.no_images": "This series holds no images. Its files are safe, and are given out whole.",
  "view.again": "Try again",
  "view.image": "Image: arrow keys scroll, dragging with the left button changes the window",
  "view.slice": "Slice",
  "view.windows": "Windows",
} satisfies Record<string, Text>;

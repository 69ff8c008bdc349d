// All texts in Arabic.

import type { Words } from "../index.js";import { page } from "./page.js";
import { view } from "./view.js";

export const ar: Words = { ...page, ...view };

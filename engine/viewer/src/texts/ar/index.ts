// All texts in Arabic.

import type { Words } from "../index.js";import { list } from "./list.js";
import { page } from "./page.js";
import { study } from "./study.js";
import { view } from "./view.js";
import { volume } from "./volume.js";

export const ar: Words = { ...page, ...list, ...study, ...view, ...volume };

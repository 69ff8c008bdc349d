// All texts in English: its keys are the keys of every language.

import { list } from "./list.js";
import { page } from "./page.js";
import { study } from "./study.js";
import { view } from "./view.js";
import { volume } from "./volume.js";

export const en = { ...page, ...list, ...study, ...view, ...volume } as const;

// All texts in English: its keys are the keys of every language.

import { page } from "./page.js";
import { view } from "./view.js";

export const en = { ...page, ...view } as const;

// Where the page begins: settings, language, shell.

import { render } from "preact";
import "./style.css";
import "./style/print.css"; // the last: it has to stand above the rest
import { localSettings } from "./settings.js";
import { applyContrast } from "./shell/preferences.js";
import { Shell } from "./shell/page.js";
import { trustOwnFiles } from "./trusted.js";
import { LANGUAGES, preferred, textsOf, type Language } from "./texts/index.js";

trustOwnFiles();
const settings = localSettings();
const chosen = settings.get<string>("language", "");
const texts = await textsOf(Object.hasOwn(LANGUAGES, chosen) ? (chosen as Language) : preferred(navigator.languages));
document.documentElement.lang = texts.language;
document.documentElement.dir = texts.direction;
applyContrast(settings);
const root = document.getElementById("page");
if (root) render(<Shell tools={{ texts, settings }} />, root);

// The words of the page in the reader's language. English is always there; another language is fetched when it is chosen.

import { en } from "./en/index.js";

/** A text, or its forms by number (Unicode's plural categories): "one", "few", "other" … */
export type Text = string | { readonly [category: string]: string };
export type Key = keyof typeof en;
export type Words = Readonly<Record<Key, Text>>;
export type Language = "en" | "ar";

export const LANGUAGES: Readonly<Record<Language, string>> = { en: "English", ar: "العربية" };
const RIGHT_TO_LEFT: readonly Language[] = ["ar"];
const OTHERS: Readonly<Record<Exclude<Language, "en">, () => Promise<Words>>> = {
  ar: async () => (await import("./ar/index.js")).ar,
};

export class Texts {
  readonly direction: "ltr" | "rtl";
  private readonly plural: Intl.PluralRules;
  private readonly number: Intl.NumberFormat;

  constructor(readonly language: Language, private readonly words: Words) {
    this.direction = RIGHT_TO_LEFT.includes(language) ? "rtl" : "ltr";
    this.plural = new Intl.PluralRules(language);
    // Digits as in the images and their labels, in every language.
    this.number = new Intl.NumberFormat(language, { numberingSystem: "latn" });
  }

  /**
   * The text of `key`; `{name}` in it becomes the value of that name, as text. `count` chooses among the forms by number.
   * Numbers are written with the language's separators.
   */
  readonly say = (key: Key, values: Readonly<Record<string, string | number>> = {}): string => {
    const found = this.words[key];
    const form = typeof found === "string" ? found : (found[this.plural.select(Number(values["count"]))] ?? found["other"] ?? key);
    return form.replace(/\{(\w+)\}/g, (whole, name: string) => {
      const value = values[name];
      return value === undefined ? whole : typeof value === "number" ? this.number.format(value) : value;
    });
  };
}

/** The texts of a language; English where its file cannot be fetched. */
export async function textsOf(language: Language): Promise<Texts> {
  if (language === "en") return new Texts("en", en);
  try {
    return new Texts(language, await OTHERS[language]());
  } catch {
    return new Texts("en", en); // the line is interrupted: better another language than no page
  }
}

/** The first language of the reader's that the page has. */
export function preferred(languages: readonly string[]): Language {
  const known = Object.keys(LANGUAGES) as Language[];
  return languages.map((one) => known.find((two) => one.toLowerCase().split("-")[0] === two)).find((one) => one !== undefined) ?? "en";
}

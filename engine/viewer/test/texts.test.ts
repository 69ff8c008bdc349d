// Texts: every language has every form that its plurals need, and the same places for values.

import { describe, expect, test } from "vitest";
import { ar } from "../src/texts/ar/index.js";
import { en } from "../src/texts/en/index.js";
import { LANGUAGES, preferred, Texts, type Key, type Language, type Words } from "../src/texts/index.js";

const ALL: Record<Language, Words> = { en, ar };
const keys = Object.keys(en) as Key[];
const places = (text: string): string[] => [...text.matchAll(/\{(\w+)\}/g)].map((found) => found[1] ?? "").sort();

describe.each(Object.keys(LANGUAGES) as Language[])("%s", (language) => {
  const words = ALL[language];
  test("has the keys of English, and no text is empty", () => {
    expect(Object.keys(words).sort()).toEqual([...keys].sort());
    for (const key of keys) expect(JSON.stringify(words[key]), key).not.toMatch(/""/);
  });
  test("has every form by number that the language knows", () => {
    const forms = new Intl.PluralRules(language).resolvedOptions().pluralCategories;
    for (const key of keys) {
      const text = words[key];
      if (typeof text !== "string") expect(Object.keys(text).sort(), key).toEqual([...forms].sort());
    }
  });
  test("puts the same values into its texts as English does", () => {
    for (const key of keys) {
      const [one, two] = [words[key], en[key] as Words[Key]].map((text) => (typeof text === "string" ? text : (text["other"] ?? "")));
      expect(places(one ?? ""), key).toEqual(places(two ?? ""));
    }
  });
});

test("values are put in as they are, whatever they hold", () => {
  const texts = new Texts("en", en);
  expect(texts.say("page.failed", { why: "<img onerror=x> {why} $&" })).toBe("This page failed: <img onerror=x> {why} $&");
});

test("the reader's first language that the page has is taken, else English", () => {
  expect(preferred(["fr-CH", "ar-EG", "en"])).toBe("ar");
  expect(preferred(["EN-us"])).toBe("en");
  expect(preferred([])).toBe("en");
});

// What the shell says.

import type { Text } from "../index.js";

export const page = {
  "page.studies": "Studies",
  "page.starting": "loading …",
  "page.no_study": "This address names no study.",
  "page.failed": "This page failed: {why}",
} satisfies Record<string, Text>;

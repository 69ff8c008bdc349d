// What the shell says.

import type { Text } from "../index.js";

export const page = {
  "page.studies": "Studies",
  "page.starting": "loading …",
  "page.no_study": "This address names no study.",
  "page.failed": "This page failed: {why}",
  "page.contrast": "Contrast",
  "page.contrast.calm": "calm",
  "page.contrast.high": "high",
  "page.language": "Language",
  "failure.silent": "The server does not answer. See whether it is still running, then try again.",
  "failure.not_understood": "The server does not understand this search or request{because} Change it and try again.",
  "failure.not_allowed": "The server does not let this page do that{because}",
  "failure.gone": "The server does not have it{because}",
  "failure.not_shown": "This is kept safely, but this server cannot show it{because} Export it, or open it in another viewer.",
  "failure.damaged": "This is kept as it was received, but it is damaged or not as it should be{because} Ask the sender to send it again.",
  "failure.busy": "The server is too busy at the moment{because} Wait a little, then try again.",
  "failure.full": "The server's disk is full{because} Somebody has to make room.",
  "failure.server": "The server failed{because} Its log says more; then try again.",
  "failure.other": "The server answered {status}{because}",
} satisfies Record<string, Text>;

// How the page is built: flat files with their hash in the name, served under /static/ (engine/web/page.py).

import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

export default defineConfig({
  base: "/static/",
  resolve: {
    // The streaming client from its source: one build, one check of types.
    alias: {
      "@voxcast/client": fileURLToPath(new URL("../../clients/ts/src/index.ts", import.meta.url)),
      ...Object.fromEntries(["fs", "path"].map((name) => [name, fileURLToPath(new URL("src/view/decode/nothing.ts", import.meta.url))])),
    },
  },
  build: {
    target: "es2022",
    assetsDir: "",
    // Under the page's policy nothing may run that stands in the page itself, and a data: address is no script.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 3000,
  },
  worker: { format: "es" },
  // A deadline is for what hangs, not for a machine that does other things, too.
  test: { testTimeout: 60_000, include: ["test/**/*.test.ts", "test/**/*.test.tsx", "src/**/*.test.ts"] },
});

"""The page in a headless Chromium, at the end of a link or on loopback; OHIF beside it, of the same server, by the same hand."""

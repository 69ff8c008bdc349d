"""Readers who scroll over real TCP: what `benchmarks.scroll` simulates, measured.

`material` (generated series in an archive with packs, and as files) → a server in a namespace, links to readers
(`benchmarks.links`) → `reader`, a process at the end of a link: a `hand` that follows a persona's trace, a client that speaks
the stream (`streaming`) or HTTP (`requesting`), a list of what arrived when → `cells` → the figures of `benchmarks.scroll`.
`opening` measures a session's first pictures, `crowd` two hundred readers at once.
"""

"""Measurements beside real peers on the same bytes in the same run; `make bench` runs `benchmarks.run`.

`measure` times and reports, `data` makes the files, `peers` starts the servers, `client` asks them, `cases*` are the rows.
Timings are reported here and never asserted in tests.
"""

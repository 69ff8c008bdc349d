"""Readers who scroll over lines of every kind, and who serves them best.

`personas`: generated hands → `simulation`: one hand, one `line`, one of the `strategies`, in simulated time → `figures`: what
was shown at each visited position, how long it took to be exact, what was sent in vain. `python -m benchmarks.scroll` runs them
side by side.
"""

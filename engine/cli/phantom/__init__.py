"""A generated CT of chest and upper abdomen for the demo, tests and benchmarks.

`PhantomSeries` (what is wanted) → `generate` → Part 10 bytes (`series`); `restamped` multiplies one of them (`restamp`).
`body` puts the anatomy together from `mediastinum`, `abdomen`, `bones` (places in mm, values in Hounsfield units: `regions`),
which paint soft-edged shapes on a `canvas` and fill organs with `vessels`.
"""

from engine.cli.phantom.restamp import restamped
from engine.cli.phantom.series import PhantomSeries, generate, instance

__all__ = ["PhantomSeries", "generate", "instance", "restamped"]

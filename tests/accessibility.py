"""The rules of axe-core (WCAG A and AA, best practices) over what a page shows; the npm package of engine/viewer has them."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser import Page

AXE = Path(__file__).parents[1] / "engine" / "viewer" / "node_modules" / "axe-core" / "axe.min.js"
needs_axe = pytest.mark.skipif(not AXE.is_file(), reason="axe-core is not installed (make viewer)")
_RUN = """(async () => {
  const found = await axe.run(document, { resultTypes: ['violations'] });
  const words = (v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => n.html + n.failureSummary).slice(0, 4)}`;
  return [found.passes.length, found.violations.map(words)];
})()"""


async def violations(page: Page) -> list[str]:
    """Each rule that is broken, with the elements that break it; AssertionError when hardly any rule was looked at."""
    if not await page.value("'axe' in window"):
        await page.value(AXE.read_text("utf_8") + "; true")
    passed, broken = await page.value(_RUN)
    assert passed > 10, "axe looked at nothing"
    return list(broken)

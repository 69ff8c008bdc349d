"""What a tab is told: to note what is drawn and when, to turn the wheel, and how a viewer says what it shows.

Times are the page's own clock (`performance.now`, ms since it was asked for).
"""

from __future__ import annotations

import json

# Notes in `window.noted`; each of `drawn` is [time, position, halvings, halvings that are enough].
_NOTE = """
window.noted = { drawn: [], blocked: [], steps: [] };
new PerformanceObserver((list) => {
  for (const one of list.getEntries()) noted.blocked.push([one.startTime, one.duration]);
}).observe({ type: 'longtask', buffered: true });
"""
OURS = (
    _NOTE
    + """
addEventListener('click', (event) => { noted.clicked = event.timeStamp; }, true);
addEventListener('voxcast:drawn', ({ detail }) => {
  const [one] = detail.shown;
  if (one) noted.drawn.push([performance.now(), one.position, one.halvings, one.enough]);
}, true);
"""
)
# cornerstone3D's events do not bubble, but whoever is asked on the way down hears of them. It shows whole images or none.
OHIF = (
    _NOTE
    + """
let at = -1;
addEventListener('CORNERSTONE_STACK_NEW_IMAGE', ({ detail }) => { at = detail.imageIdIndex; }, true);
addEventListener('CORNERSTONE_IMAGE_RENDERED', () => { if (at >= 0) noted.drawn.push([performance.now(), at, 0, 0]); }, true);
"""
)


def fling(target: str, steps: int, seconds: float) -> str:
    """Turn the wheel over an element, evenly; an expression that is done when the hand rests."""
    return f"""new Promise((done) => {{
  const element = document.querySelector({json.dumps(target)}), box = element.getBoundingClientRect();
  // A real wheel has wheelDelta, too, and cornerstone3D goes by it.
  const about = {{ deltaY: 100, wheelDeltaY: -120, bubbles: true, cancelable: true }};
  about.clientX = box.left + box.width / 2;
  about.clientY = box.top + box.height / 2;
  const began = performance.now();
  const tick = () => {{
    noted.steps.push(performance.now());
    element.dispatchEvent(new WheelEvent('wheel', about));
    if (noted.steps.length === {steps}) return done();
    setTimeout(tick, began + noted.steps.length * {1000 * seconds / steps} - performance.now());
  }};
  tick();
}})"""


def key(target: str, name: str) -> str:
    """A key on an element, now; gives the time."""
    event = json.dumps({"key": name, "bubbles": True, "cancelable": True})
    return f"(document.querySelector({json.dumps(target)}).dispatchEvent(new KeyboardEvent('keydown', {event})), performance.now())"

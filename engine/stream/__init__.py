"""Requests → the bytes that a reader needs next.

`frames.FrameService`: stored bytes, native bytes or a rendering of one frame → `Archive` (one get, one read)
→ `codec` → `imaging` → `codec.encode`, each step on its named executor; `flight`: equal work is done once, and dropped
when nobody waits for it any more
"""

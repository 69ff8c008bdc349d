"""Requests → the bytes that a reader needs next.

`frames.FrameService`: stored bytes, native bytes or a rendering of one frame → `Archive` (one get, one read)
→ `codec` → `imaging` → `codec.encode`, each step on its named executor;
`presented.PresentedService`: the same with what is asked for besides: `parsed` states and segmentations
→ `gathered` bytes → `drawn` over the picture; `decoded`, `headers`, `parsed`: the last ones, within their bounds;
`flight`: equal work is done once, and dropped when nobody waits for it any more
`making`: a series' pack of renditions, from which `decoded` takes what is slow to decode, and `transcoding` HTJ2K
`scheduler`: what goes next, for all sessions: `demand` (what is looked at) over `supply` (what there is) minus `holding` (what
the client has), in the order of `precedence`, as much as `credit` allows, by turns of `fairness` → `grant`
"""

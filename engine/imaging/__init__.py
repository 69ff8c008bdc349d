"""Stored values → modality values → VOI values → display values (PS3.4 N.2).

`spec.RenderSpec` (what is wanted) + `FrameDescriptor` (what is there) → `plan.reduction` says how small a decoder may make the
frame, `plan.plan` decides the rest once → `RenderPlan` → `render.render`: decided already, only loops: `resize` (before the
window), `kernels/` (numba, compiled for a type of pixels when it first comes), each with a numpy twin in `kernels/twins.py`
"""

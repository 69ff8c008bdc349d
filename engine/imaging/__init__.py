"""Stored values → modality values → VOI values → display values (PS3.4 N.2).

`spec.RenderSpec` (what is wanted) + `FrameDescriptor` (what is there) → `plan.plan` decides once → `RenderPlan`
→ `render.render`: decided already, only loops: `kernels/` (numba), each with a numpy twin in `kernels/twins.py`
"""

"""Images as a presentation state, a segmentation or a caption wants them to be seen (PS3.4 N.2).

stored values → `masks` (subtraction) → `gray` (modality, VOI, presentation LUT or palette) → `shutters`
→ `placement` (displayed area, rotation, flip, size) → `segments` → `drawing` (overlays, graphics, texts) → display values
`apply.render_presented` does all of it for one frame; `captions.annotated` writes lines into a corner of any picture.
"""

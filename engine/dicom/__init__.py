"""What DICOM says about bytes: one pass over Part 10 gives all that the other rooms need to know.

bytes → `scan` (native) → `ScannedInstance`: UIDs, index values as DICOM JSON, `FrameDescriptor`, `FrameTable`, defects
bytes → `dicom_json` → the metadata document of PS3.18 annex F
`Query`, `Match` and `matching` say what a search means (PS3.4 C.2.2.2), whatever door it came through
"""

"""What is derived from a series so that its pictures come sooner; all of it may be deleted at any moment.

`pack`: one file per series, HTJ2K code streams in slice order with the byte ends of their resolutions, read by mapping
`writing`: how a pack comes to be, whole or not at all; `shelf`: the folder of packs, its byte budget, what leaves first
`supply`: a series as ordered pieces, frame × resolution, out of its pack or as it is stored
`asking`: how a reader's process tells the one that makes packs which series it wants next
"""

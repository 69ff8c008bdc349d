"""Bytes of a frame → `stored_values`; display values → JPEG and PNG.

`registry.decode_frame` looks the transfer syntax up → a `base.FrameDecoder` (`native`, `rle`, `jpeg`, `jpegls`, `jpeg2000`)
→ `finish.stored_values` gives them the type and sign that the header claims → `base.DecodedFrame`
`codestream`, `jpeg2000_header`: what a code stream says of itself, checked before anything is allocated, and whether its end is
there; `jpeg2000_reduce`: a half, a quarter … of the size for less work
`encode`: JPEG and PNG out; `second_opinion`: the same frame by pylibjpeg, for tests and for streams that imagecodecs refuses
"""

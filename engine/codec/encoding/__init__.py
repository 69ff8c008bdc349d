"""Stored values → the bytes of a frame in another transfer syntax.

`registry.described` says what a frame will be called there, or why the coder cannot hold it → `FrameEncoder.encode` makes its bytes
`base`: the contract; `native`, `rle`, `jpeg`, `jpegls`, `jpeg2000`, `htj2k`, `jpegxl`: one family each
`codec/transcode`: whole instances
"""

"""What can go wrong for a client of the stream.

StreamError
├── ConnectionLost     no connection for longer than `give_up_s`; what is held stays readable
├── ClosedError        the session or the series was closed by its owner
├── ProtocolError      what came is not what docs/stream.md says, or the server refuses what was said
├── SeriesError        the server cannot give a series, or a frame of it
└── UndecodableFrame   bytes that are no picture, or of a transfer syntax that this client does not read
"""

from __future__ import annotations


class StreamError(Exception):
    """The base of all of them."""


class ConnectionLost(StreamError):
    """The server could not be reached for so long that the session was given up."""


class ClosedError(StreamError):
    """Used after its end."""


class ProtocolError(StreamError):
    """The two sides do not understand each other; trying again would not help."""


class SeriesError(StreamError):
    """The server's word on a series, or on one of its frames.

    Attributes
    ----------
    error : the server's name of it, such as ``SeriesNotFound``.
    position : the frame, 0-based; None for the whole series.
    """

    def __init__(self, error: str, detail: str, position: int | None = None) -> None:
        super().__init__(detail or error)
        self.error, self.position = error, position


class UndecodableFrame(StreamError):
    """A frame whose bytes this client makes no values of.

    Attributes
    ----------
    transfer_syntax_uid : of the bytes, which `Series.bytes` gives as they are.
    """

    def __init__(self, transfer_syntax_uid: str, reason: str) -> None:
        super().__init__(f"a frame of transfer syntax {transfer_syntax_uid}: {reason}")
        self.transfer_syntax_uid = transfer_syntax_uid

"""A client of the streaming session ``voxcast.stream.v1`` for asyncio; nothing of the server is imported (docs/python-client.md).

connection.Connection   one WebSocket: words out, the last of each kind; messages in
session.Session         outlives its connections: says again what is open, looked at and held
series.Series           one series: table, holding, and the iterator of frames that refine
records, table, holding what comes, what a series is made of, which bytes are here
pixels                  bytes of a frame → stored values, as fine as they show
"""

from voxcast.client.errors import ClosedError, ConnectionLost, ProtocolError, SeriesError, StreamError, UndecodableFrame
from voxcast.client.series import Frame, Picture, Series
from voxcast.client.session import Session, Viewport, connect
from voxcast.client.table import FrameEntry, SeriesTable

__all__ = [
    "ClosedError",
    "ConnectionLost",
    "Frame",
    "FrameEntry",
    "Picture",
    "ProtocolError",
    "Series",
    "SeriesError",
    "SeriesTable",
    "Session",
    "StreamError",
    "UndecodableFrame",
    "Viewport",
    "connect",
]

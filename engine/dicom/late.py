"""pydicom, for those who need it only now: by one thread, whoever comes first.

It takes 0.2 to 0.7 s and 30 MB, so nobody loads it who may never need it. Its modules import each other in circles: threads that
begin with different ones find halves of them, and get ImportError, or AttributeError out of a data set that is in order.
"""

from __future__ import annotations

import threading

_LOADING = threading.Lock()


def load_pydicom() -> None:
    """To be called in front of every import of pydicom that is not at the head of a module. Any thread; waits for the first."""
    with _LOADING:
        import pydicom
        import pydicom.filewriter  # noqa: F401  # all that anybody asks for comes with these two

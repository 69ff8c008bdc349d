"""What one association did, for the counters and for its line in the log."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from engine.metrics import Metrics
from engine.peer_metrics import COMMANDS, outcome_of

if TYPE_CHECKING:
    from engine.dimse.association import Association
    from engine.dimse.command import Command

_LOG = logging.getLogger(__name__)
RELEASED = "released"


class Account:
    """Of one association whose requestor is counted as `peer`; its own thread.

    Parameters
    ----------
    tls : version and cipher suite; empty without TLS.
    """

    def __init__(self, metrics: Metrics, peer: str, tls: str = "") -> None:
        self._metrics, self._peer, self._tls = metrics, peer, tls
        self._bytes_in = self._bytes_out = 0
        self.answers: dict[str, int] = {}
        metrics.add(f"associations:{peer}:accepted")

    def answered(self, association: Association, command: Command) -> None:
        """One response was sent."""
        name, outcome = command.name, outcome_of(command.status)
        self.answers[outcome] = self.answers.get(outcome, 0) + 1
        self._metrics.add(f"dimse:{self._peer}:{name if name in COMMANDS else COMMANDS[-1]}:{outcome}")
        self._count_bytes(association)

    def ended(self, association: Association, how: str) -> None:
        """The association is over: `RELEASED`, or why."""
        self._count_bytes(association)
        self._metrics.add(f"associations_ended:{self._peer}:{RELEASED if how == RELEASED else 'aborted'}")
        transport, seconds = association.transport, time.monotonic() - association.started
        done = ", ".join(f"{count} {name}" for name, count in association.performed.items())
        fields = {
            "peer": self._peer,
            "calling": association.peer,
            "called": association.called,
            "address": association.address,
            "user": association.user,
            "tls": self._tls,
            "contexts": len(association.contexts),
            "messages": dict(association.performed),
            "answers": dict(self.answers),
            "bytes_in": transport.bytes_in,
            "bytes_out": transport.bytes_out,
            "seconds": round(seconds, 3),
            "ended": how,
        }
        _LOG.info(
            "association of %s (%s) from %s: %s in %.1f s, %d bytes in, %d out; %s",
            association.peer, self._peer, association.address, done or "nothing", seconds, transport.bytes_in,
            transport.bytes_out, how, extra={"fields": fields},
        )  # fmt: skip

    def _count_bytes(self, association: Association) -> None:
        transport = association.transport
        self._metrics.add(f"association_received_bytes:{self._peer}", transport.bytes_in - self._bytes_in)
        self._metrics.add(f"association_sent_bytes:{self._peer}", transport.bytes_out - self._bytes_out)
        self._bytes_in, self._bytes_out = transport.bytes_in, transport.bytes_out

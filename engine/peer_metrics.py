"""Counters of associations by who called: each peer of the settings has its own, all others share one: labels are bounded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

OTHER = "other"  # callers that are no peer
COMMANDS = ("C-ECHO", "C-STORE", "C-FIND", "C-MOVE", "C-GET", "N-ACTION", "N-CREATE", "N-SET", "N-GET", "other")
OUTCOMES = ("success", "pending", "warning", "cancelled", "failure")
_ENDS = ("released", "aborted")
_PLAIN = {
    "association_received_bytes": "bytes of data sets that came over associations",
    "association_sent_bytes": "bytes that went over associations",
}


def names(peers: Iterable[str]) -> list[str]:
    """Of all counters, for these peers and the others."""
    made = []
    for peer in (*peers, OTHER):
        made += [f"associations:{peer}:{outcome}" for outcome in ("accepted", "rejected")]
        made += [f"associations_ended:{peer}:{how}" for how in _ENDS]
        made += [f"{name}:{peer}" for name in _PLAIN]
        made += [f"dimse:{peer}:{command}:{outcome}" for command in COMMANDS for outcome in OUTCOMES]
    return made


def outcome_of(status: int) -> str:
    """The kind of a status of DIMSE (PS3.7 annex C.1)."""
    if status == 0:
        return "success"
    if status in (0xFF00, 0xFF01):
        return "pending"
    if status == 0xFE00:
        return "cancelled"
    is_warning = status & 0xF000 == 0xB000 or status in (0x0001, 0x0107, 0x0116)
    return "warning" if is_warning else "failure"


def lines(peers: Iterable[str], total: Mapping[str, float]) -> list[str]:
    """As Prometheus reads them; responses that were never given are left out."""
    callers = (*peers, OTHER)
    out = ["# HELP voxcast_associations_total requests for an association", "# TYPE voxcast_associations_total counter"]
    for peer in callers:
        for outcome in ("accepted", "rejected"):
            value = total[f"associations:{peer}:{outcome}"]
            out.append(f'voxcast_associations_total{{peer="{peer}",outcome="{outcome}"}} {value:.16g}')
    out += [
        "# HELP voxcast_associations_ended_total ends of associations",
        "# TYPE voxcast_associations_ended_total counter",
    ]
    for peer in callers:
        for how in _ENDS:
            value = total[f"associations_ended:{peer}:{how}"]
            out.append(f'voxcast_associations_ended_total{{peer="{peer}",how="{how}"}} {value:.16g}')
    for name, what in _PLAIN.items():
        out += [f"# HELP voxcast_{name}_total {what}", f"# TYPE voxcast_{name}_total counter"]
        out += [f'voxcast_{name}_total{{peer="{peer}"}} {total[f"{name}:{peer}"]:.16g}' for peer in callers]
    out += ["# HELP voxcast_dimse_responses_total responses given", "# TYPE voxcast_dimse_responses_total counter"]
    for peer in callers:
        for command in COMMANDS:
            for outcome in OUTCOMES:
                if value := total[f"dimse:{peer}:{command}:{outcome}"]:
                    labels = f'peer="{peer}",command="{command}",outcome="{outcome}"'
                    out.append(f"voxcast_dimse_responses_total{{{labels}}} {value:.16g}")
    return out

"""`voxcast password`: a password as the hash that the settings keep."""

from __future__ import annotations

import getpass
import sys

from engine.cli.terminal import DONE, WRONG_USAGE, Terminal
from engine.users import hash_password


def run(terminal: Terminal) -> int:
    """Asks twice on a terminal, else takes the first line of standard input."""
    if sys.stdin.isatty():
        password, again = (getpass.getpass(f"{prompt}: ") for prompt in ("Password", "The same again"))
        if password != again:
            terminal.say("voxcast: the two are not the same")
            return WRONG_USAGE
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        terminal.say("voxcast: an empty password is none")
        return WRONG_USAGE
    made = hash_password(password)
    terminal.result({"password": made}, f'password = "{made}"')
    return DONE

"""``python -m engine.cli``: the same as the `voxcast` command."""

from engine.cli import main

main()

"""The command line: every option is in `app`, the work of each command in the module of its name (`import_` for import).

argv → `app` (typer) → `settings.load` → the command's ``run`` → results on stdout, human words on stderr (`terminal`)
`app` imports a command's module only when it runs, so that help comes at once and an idle server holds little.
"""

from __future__ import annotations


def main() -> None:
    """Entry point of the `voxcast` command."""
    from engine.cli.app import app

    app(prog_name="voxcast")

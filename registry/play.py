"""Play an environment by hand: `rlx play ENV`, for all environments of which the catalog names what plays them."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from .catalog import environments, find
from .plugins import resolve


class Playable(TyperGroup):
    """Lists the environments that can be played, and imports what plays one only when it is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return their ids."""
        return [row.id for row in environments().values() if row.play is not None]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command that plays an environment.

        Raises:
            gymnasium.error.NameNotFound: there is no such environment.
            ValueError: it cannot be played; says which can.
        """
        row = find(cmd_name)
        if row.play is None:
            raise ValueError(f"{row.id} cannot be played by hand. These can: {', '.join(self.list_commands(ctx))}.")
        command = typer.Typer(add_completion=False)
        command.command(row.id)(resolve(row.play))
        return typer.main.get_command(command)


app = typer.Typer(cls=Playable, add_completion=False, no_args_is_help=True, subcommand_metavar="ENV")


@app.callback()
def play() -> None:
    """Play an environment by hand; ENV --help tells how."""

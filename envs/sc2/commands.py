"""The commands `rlx sc2 ...`: the SC2 API without the game, programs of pysc2, and measurements of the game itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.callback()
def sc2() -> None:
    """The SC2 API without the game, programs of pysc2, and measurements of the game itself."""


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 5000,
) -> None:
    """Serve the seven mini-games over the SC2 API, ws://HOST:PORT/sc2api; each client has a game of its own."""
    from .api.server import PATH
    from .api.server import serve as start

    with start(host, port) as server:
        typer.echo(f"Listening at ws://{host}:{server.socket.getsockname()[1]}{PATH}. Control-C ends it.")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            typer.echo("Ended.")


@app.command("install-stub")
def install_stub(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder.", file_okay=False)],
) -> None:
    """Write a folder that programs take for the installed game, and that starts rlx instead."""
    from .api.stub import install

    install(folder)
    typer.echo(f"Programs that start StarcraftII now start rlx with: export SC2PATH={folder.resolve()}")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def run(
    context: typer.Context,
    module: Annotated[str, typer.Argument(help="For instance pysc2.bin.agent; what follows are its own arguments.")],
) -> None:
    """Run a program that uses pysc2, with or without the game: rlx sc2 run pysc2.bin.agent --map MoveToBeacon."""
    from .api.compat import run

    run(module, context.args)


@app.command()
def calibrate(
    out: Annotated[Path, typer.Option(dir_okay=False, help="Where to write what was found, as JSON.")] = Path(
        "sc2-calibration.json"
    ),
    seed: Annotated[int, typer.Option(min=0, help="Of the games.")] = 1,
    quick: Annotated[bool, typer.Option("--quick", help="Do not wait for the ends of games.")] = False,
) -> None:
    """Measure in the installed game what its data do not tell: distances, cameras, scores, ends of games."""
    from .api.calibrate import measure

    found = measure(seed, is_thorough=not quick)
    out.write_text(json.dumps(found, indent=2) + "\n")
    typer.echo(f"Measured in {found['version']['config']} {found['version']['game']}: {found['parameters']}")
    typer.echo(f"Everything is in {out}")

"""The SC2 API over a websocket, where the game itself would listen.

Each connection plays a game of its own. pysc2 and its kin send protocol messages in text frames, so frames are taken
as bytes whatever their kind.
"""

from __future__ import annotations

import argparse
import logging
import threading
from collections.abc import Sequence

from gymnasium.error import DependencyNotInstalled

from .session import QUIT, Session

try:
    from websockets.exceptions import ConnectionClosed
    from websockets.sync.server import Server, ServerConnection
    from websockets.sync.server import serve as listen
except ImportError as error:
    raise DependencyNotInstalled('The SC2 API over a websocket needs websockets: pip install "rlx[sc2]"') from error

logger = logging.getLogger(__name__)

#: Where clients connect to.
PATH = "/sc2api"
#: Close code of a connection to another path.
NO_SUCH_PATH = 1008


def serve(host: str = "127.0.0.1", port: int = 5000, is_single: bool = False) -> Server:
    """Listen; return a server whose ``serve_forever`` serves, and whose ``shutdown`` ends that.

    Args:
        host: where to listen.
        port: the same; 0 takes a free one, see ``server.socket``.
        is_single: end when a client quits, as the game itself does.
    """

    def play(connection: ServerConnection) -> None:
        if connection.request is None or connection.request.path != PATH:
            connection.close(NO_SUCH_PATH, f"The SC2 API is at {PATH}.")
            return
        if converse(connection) and is_single:
            # From another thread: this one is among those that it waits for.
            threading.Thread(target=server.shutdown, daemon=True).start()

    server = listen(play, host, port, max_size=None, compression=None)
    return server


def converse(connection: ServerConnection) -> bool:
    """Serve a client until it quits or goes away; return whether it has quit."""
    session = Session()
    try:
        while session.status != QUIT:
            answer = _answer(session, connection.recv(decode=False))
            # The game does not answer when it is told to quit.
            if session.status != QUIT:
                connection.send(answer)
    except ConnectionClosed:
        return False
    return True


def _answer(session: Session, message: bytes) -> bytes:
    """Serve a request; what goes wrong in the session is told the client, and does not end the server."""
    try:
        return session.answer_bytes(message)
    except Exception as error:
        logger.exception("A request of %d bytes could not be served.", len(message))
        return session.failure(f"This is an error in rlx: {error!r}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve as the game itself would be started: ``-listen HOST -port PORT``, and what it knows besides."""
    parser = argparse.ArgumentParser(prog="SC2_x64", allow_abbrev=False, description=__doc__)
    parser.add_argument("-listen", default="127.0.0.1", metavar="HOST")
    parser.add_argument("-port", type=int, default=5000)
    known, _ = parser.parse_known_args(arguments)
    with serve(known.listen, known.port, is_single=True) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()

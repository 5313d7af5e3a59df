"""One game as the SC2 API sees it: a request in, a response out.

What is not there is said to be not there: one player, no replays, no rendered pictures (feature layers instead), no
debugging, no clock of its own (``realtime``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import PureWindowsPath
from typing import Any

import numpy as np

from .. import orders
from ..economy import is_free, snap
from ..layers import GROUND, TYPES
from ..params import GAMES, NONE
from ..paths import length
from ..records import MAP
from . import catalog
from .abilities import BY_ID, NOT_SUPPORTED, RESULTS, SUCCESS
from .acting import act
from .embedded import Embedded, Size
from .messages import DecodeError, common, sc2api
from .observing import available_abilities, image, observe

#: The version of the game that the engine follows; units are the same from 3.17 to 4.11.
VERSION: Mapping[str, Any] = {
    "game_version": "4.10.0",
    "data_version": "B89B5D6FA7CBF6452E721311BFBC6CB2",
    "data_build": 75689,
    "base_build": 75689,
}
#: Where pysc2 looks for the maps, below the game's folder Maps.
FOLDER = "mini_games"
#: The most pixels of a side.
MOST_PIXELS = 512
#: What the camera shows, in cells.
CAMERA = 2.0 * orders.HALF_VIEW

LAUNCHED, INIT, IN_GAME, ENDED, QUIT = (
    sc2api.launched, sc2api.init_game, sc2api.in_game, sc2api.ended, sc2api.quit
)  # fmt: skip
PLAYING = (IN_GAME, ENDED)
ANY = (LAUNCHED, INIT, IN_GAME, ENDED)


class Refused(Exception):
    """A request that cannot be served; says why."""


class Session:
    """What one client plays.

    ``status`` goes from launched over init_game (`create_game`) to in_game (`join_game`), and to ended when the game
    ends.
    """

    def __init__(self) -> None:
        """Wait for a game to be created."""
        self.status: int = LAUNCHED
        self.options: Any = sc2api.InterfaceOptions()
        self.game: Embedded | None = None
        self._created: Any = None
        self._player: Any = None  # who has joined
        self._saved: Any = None  # a state
        self._actions: list[Any] = []  # not yet told
        self._errors: list[Any] = []
        self._chat: list[str] = []

    def answer(self, request: Any) -> Any:
        """Serve a ``Request``; return the ``Response``, which tells errors."""
        response = sc2api.Response()
        if request.HasField("id"):
            response.id = request.id
        name = request.WhichOneof("request") or "nothing"
        try:
            serve = self._server(name)
            reply = getattr(response, name)
            reply.SetInParent()
            serve(self, getattr(request, name), reply)
        except Refused as refused:
            response.error.append(str(refused))
        response.status = self.status
        return response

    def answer_bytes(self, message: bytes) -> bytes:
        """Serve a request as it comes over a wire; return the response."""
        try:
            request = sc2api.Request.FromString(message)
        except DecodeError as error:
            return self.failure(f"These {len(message)} bytes are no Request: {error}")
        answer: bytes = self.answer(request).SerializeToString()
        return answer

    def failure(self, reason: str) -> bytes:
        """Return the response that says why there is no other."""
        answer: bytes = sc2api.Response(error=[reason], status=self.status).SerializeToString()
        return answer

    def _server(self, name: str) -> Serve:
        """Return who serves a request.

        Raises:
            Refused: nobody does, or not in this status.
        """
        if name not in SERVED:
            raise Refused(f"A request of {name} cannot be served. Served are: {', '.join(SERVED)}.")
        statuses, serve = SERVED[name]
        if self.status not in statuses:
            if self.status == ENDED:
                raise Refused(f"Game has already ended: {name} is not possible, restart_game and leave_game are.")
            allowed = ", ".join(map(sc2api.Status.Name, statuses))
            raise Refused(f"{name} is not possible in status {sc2api.Status.Name(self.status)}, only in: {allowed}.")
        return serve

    @property
    def _playing(self) -> Embedded:
        assert self.game is not None
        return self.game

    def _ping(self, _: Any, reply: Any) -> None:
        for name, value in VERSION.items():
            setattr(reply, name, value)

    def _quit(self, _: Any, __: Any) -> None:
        self.status = QUIT

    def _available_maps(self, _: Any, reply: Any) -> None:
        reply.local_map_paths.extend(f"{FOLDER}/{name}.SC2Map" for name in GAMES)
        reply.battlenet_map_names.extend(GAMES)

    def _create_game(self, asked: Any, reply: Any) -> None:
        path = asked.battlenet_map_name or asked.local_map.map_path
        kinds = [player.type for player in asked.player_setup]
        if not path:
            _fail(reply, "MissingMap", "Neither local_map.map_path nor battlenet_map_name.")
        elif _map_name(path) not in GAMES:
            error = "InvalidMapName" if asked.battlenet_map_name else "InvalidMapPath"
            _fail(reply, error, f"{path!r} is none of the maps: {', '.join(GAMES)}.")
        elif sc2api.Participant not in kinds:
            _fail(reply, "MissingPlayerSetup", "player_setup has no Participant.")
        elif len(kinds) > 1:
            _fail(reply, "MultiplayerUnsupported", "Mini-games are for one player.")
        elif asked.realtime:
            raise Refused("realtime: the embedded engine has no clock. Create the game without it.")
        else:
            self._created, self.status = asked, INIT

    def _join_game(self, asked: Any, reply: Any) -> None:
        if asked.WhichOneof("participation") != "race":
            _fail(reply, "MissingParticipation", "A race is needed; nobody can observe.")
        elif not asked.HasField("options"):
            _fail(reply, "MissingOptions", "InterfaceOptions are needed.")
        elif lacking := unsupported(asked.options):
            _fail(reply, "FeatureUnsupported", lacking)
        else:
            reply.player_id = 1
            self.options, self._player, self._saved = asked.options, asked, None
            created, layers = self._created, asked.options.feature_layer
            self.game = Embedded(
                _map_name(created.battlenet_map_name or created.local_map.map_path),
                created.random_seed if created.HasField("random_seed") else None,
                _size(layers.resolution),
                _size(layers.minimap_resolution),
                not created.disable_fog,
            )
            self._begin()

    def _restart_game(self, _: Any, reply: Any) -> None:
        reply.need_hard_reset = False
        self._begin()

    def _leave_game(self, _: Any, __: Any) -> None:
        self.status, self.game, self._saved = LAUNCHED, None, None

    def _game_info(self, _: Any, reply: Any) -> None:
        game, player = self._playing, self._player
        p = game.p
        reply.map_name, reply.local_map_path = game.name, f"{FOLDER}/{game.name}.SC2Map"
        reply.player_info.add(
            player_id=1,
            type=sc2api.Participant,
            race_requested=player.race,
            race_actual=common.Terran,
            player_name=player.player_name,
        )
        reply.options.CopyFrom(self.options)
        start = reply.start_raw
        start.map_size.x = start.map_size.y = MAP
        walkable = image(game.grid(), 1)
        start.pathing_grid.CopyFrom(walkable)
        start.placement_grid.CopyFrom(walkable)
        start.terrain_height.CopyFrom(image(np.full((MAP, MAP), GROUND), 8))
        corners = start.playable_area
        corners.p0.x, corners.p0.y = math.floor(p["left"]), math.floor(p["bottom"])
        corners.p1.x, corners.p1.y = math.ceil(p["right"]), math.ceil(p["top"])

    def _observation(self, _: Any, reply: Any) -> None:
        game = self._playing
        observe(game, self.options, reply.observation)
        reply.actions.extend(self._actions)
        reply.action_errors.extend(self._errors)
        for message in self._chat:
            reply.chat.add(player_id=1, message=message)
        if game.is_over:
            reply.player_result.add(player_id=1, result=sc2api.Defeat if game.s["is_over"] else sc2api.Tie)
        self._forget()

    def _action(self, asked: Any, reply: Any) -> None:
        for action in asked.actions:
            result, ability = act(self._playing, action, self.options.raw_affects_selection)
            reply.result.append(result)
            if result != SUCCESS:
                self._errors.append(sc2api.ActionError(ability_id=ability, result=result))
            # Who acts by pixels cannot read orders by tags.
            elif not (action.HasField("action_raw") and self.options.HasField("feature_layer")):
                action.game_loop = int(self._playing.s["loop"])
                self._actions.append(action)
            if action.HasField("action_chat"):
                self._chat.append(action.action_chat.message)

    def _step(self, asked: Any, reply: Any) -> None:
        game = self._playing
        # More loops than a game lasts are as good as all of them.
        game.advance(min(asked.count if asked.HasField("count") else 1, int(game.p["loops"])))
        reply.simulation_loop = int(game.s["loop"])
        if game.is_over:
            self.status = ENDED

    def _query(self, asked: Any, reply: Any) -> None:
        answer_query(self._playing, asked, reply)

    def _data(self, asked: Any, reply: Any) -> None:
        if asked.unit_type_id:
            reply.units.extend(catalog.unit_types())
        if asked.ability_id:
            reply.abilities.extend(catalog.abilities())

    def _save_replay(self, _: Any, reply: Any) -> None:
        reply.data = b""

    def _save_map(self, _: Any, __: Any) -> None:
        """Keep nothing: all maps that can be played are there."""

    def _quick_save(self, _: Any, __: Any) -> None:
        self._saved = self._playing.save()

    def _quick_load(self, _: Any, __: Any) -> None:
        if self._saved is None:
            raise Refused("quick_load: nothing has been saved in this game. quick_save does.")
        self._playing.load(self._saved)
        self._forget()
        self.status = ENDED if self._playing.is_over else IN_GAME

    def _map_command(self, asked: Any, reply: Any) -> None:
        _fail(reply, "NoTriggerError", f"No trigger is called {asked.trigger_cmd!r}.")

    def _debug(self, asked: Any, _: Any) -> None:
        for command in asked.debug:
            what = command.WhichOneof("command")
            if what != "draw":  # drawings would be on a screen that there is not
                raise Refused(f"debug: {what} is not possible in the embedded engine.")

    def _start_replay(self, _: Any, reply: Any) -> None:
        _fail(reply, "InvalidReplayData", "The embedded engine plays no replays.")

    def _replay_info(self, _: Any, reply: Any) -> None:
        _fail(reply, "InvalidReplayData", "The embedded engine reads no replays.")

    def _begin(self) -> None:
        self._playing.start()
        self._forget()
        self.status = IN_GAME

    def _forget(self) -> None:
        """Start anew with what an observation tells of the time since the last one."""
        self._actions.clear()
        self._errors.clear()
        self._chat.clear()
        self._playing.books["alerts"] = self._playing.books["deaths"] = 0


#: Fills the reply to a request.
Serve = Callable[[Session, Any, Any], None]
#: Request -> the statuses in which it is served, and who serves it.
SERVED: Mapping[str, tuple[tuple[int, ...], Serve]] = {
    "ping": (ANY, Session._ping),
    "quit": (ANY, Session._quit),
    "available_maps": (ANY, Session._available_maps),
    "save_map": (ANY, Session._save_map),
    "create_game": (ANY, Session._create_game),
    "join_game": ((INIT,), Session._join_game),
    "start_replay": (ANY, Session._start_replay),
    "replay_info": (ANY, Session._replay_info),
    "restart_game": (PLAYING, Session._restart_game),
    "leave_game": (PLAYING, Session._leave_game),
    "game_info": (PLAYING, Session._game_info),
    "observation": (PLAYING, Session._observation),
    "data": (PLAYING, Session._data),
    "query": (PLAYING, Session._query),
    "save_replay": (PLAYING, Session._save_replay),
    "quick_save": (PLAYING, Session._quick_save),
    "quick_load": (PLAYING, Session._quick_load),
    "action": ((IN_GAME,), Session._action),
    "step": ((IN_GAME,), Session._step),
    "map_command": ((IN_GAME,), Session._map_command),
    "debug": ((IN_GAME,), Session._debug),
}


def unsupported(options: Any) -> str:
    """Return what of ``InterfaceOptions`` the embedded engine does not have, or nothing."""
    layers = options.feature_layer
    if options.HasField("render"):
        return "render: there are no rendered pictures. Ask for feature_layer or raw."
    if options.raw_crop_to_playable_area or layers.crop_to_playable_area:
        return "crop_to_playable_area and raw_crop_to_playable_area must be false."
    if not options.HasField("feature_layer"):
        return ""
    sides = *_size(layers.resolution), *_size(layers.minimap_resolution)
    if not all(1 <= side <= MOST_PIXELS for side in sides):
        return f"feature_layer: resolutions of {sides} pixels. Each side must be in [1, {MOST_PIXELS}]."
    if layers.HasField("width") and layers.width != CAMERA:
        return f"feature_layer.width = {layers.width:g}: the camera shows {CAMERA:g} cells."
    return ""


def answer_query(game: Embedded, asked: Any, reply: Any) -> None:
    """Fill the reply to a ``RequestQuery``."""
    for way in asked.pathing:
        reply.pathing.add(distance=_distance(game, way))
    for of in asked.abilities:
        known = reply.abilities.add(unit_tag=of.unit_tag)
        u = game.slot(of.unit_tag)
        if u >= 0:
            known.unit_type_id = TYPES[game.s["kind"][u]]
            known.abilities.extend(available_abilities(game, u))
    for place in asked.placements:
        reply.placements.add(result=_placement(game, place))


def _distance(game: Embedded, way: Any) -> float:
    """Return the length of a way, or 0 where there is none."""
    start = way.start_pos.x, way.start_pos.y
    if way.HasField("unit_tag"):
        u = game.slot(way.unit_tag)
        if u < 0:
            return 0.0
        start = float(game.s["x"][u]), float(game.s["y"][u])
    end = way.end_pos.x, way.end_pos.y
    grid = game.grid()
    is_open = all(0 <= x < MAP and 0 <= y < MAP and grid[int(y), int(x)] for x, y in (start, end))
    return length(game.p, game.s, *start, *end) if is_open else 0.0


def _placement(game: Embedded, place: Any) -> int:
    """Return the ``ActionResult`` of placing a building."""
    kind = orders.PRODUCTS[BY_ID.get(place.ability_id, orders.SMART)]
    x, y = place.target_pos.x, place.target_pos.y
    if kind == NONE or not math.isfinite(x + y):
        return NOT_SUPPORTED
    at = snap(game.p, kind, x, False), snap(game.p, kind, y, True)
    return SUCCESS if is_free(game.p, game.s, kind, *at, 0.0) else RESULTS[orders.NO_PLACE]


def _size(size: Any) -> Size:
    return size.x, size.y


def _map_name(path: str) -> str:
    # Windows paths may have either slash.
    return PureWindowsPath(path).name.removesuffix(".SC2Map")


def _fail(reply: Any, error: str, details: str) -> None:
    reply.error, reply.error_details = type(reply).Error.Value(error), details

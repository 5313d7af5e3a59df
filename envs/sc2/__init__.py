"""StarCraft II mini-games: an engine where the game is not installed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import lazily

if TYPE_CHECKING:
    from .env import SC2Env, SC2VectorEnv
    from .params import GAMES, Game, Unit

__all__ = ["FAMILY", "GAMES", "Game", "SC2Env", "SC2VectorEnv", "Unit"]

__getattr__ = lazily(
    __name__,
    {"GAMES": "params", "Game": "params", "SC2Env": "env", "SC2VectorEnv": "env", "Unit": "params"},
)


def _environment(name: str, summary: str, kind: str, *experts: str, reference: str = "scripted") -> dict[str, Any]:
    return {
        "id": f"rlx/SC2-{name}-v0",
        "entry_point": f"{__name__}.env:SC2Env",
        "vector_entry_point": f"{__name__}.env:SC2VectorEnv",
        "kwargs": {"game": name},
        "summary": summary,
        "tags": ("discrete", "game", kind),
        "paper": "https://arxiv.org/abs/1708.04782",
        "experts": {expert: f"{__name__}.experts:{expert}" for expert in ("scripted", *experts)},
        "reference": reference,
    }


FAMILY: dict[str, Any] = {
    "name": "sc2",
    "extra": "sc2",
    "title": "StarCraft II mini-games",
    "environments": (
        _environment("MoveToBeacon", "A marine walks to a beacon, which then is elsewhere.", "navigation"),
        _environment("CollectMineralShards", "Two marines collect shards.", "navigation", "split", reference="split"),
        _environment("FindAndDefeatZerglings", "Three marines find zerglings in the fog.", "combat"),
        _environment("DefeatRoaches", "Nine marines fight waves of roaches.", "combat", "attack_move", "focus"),
        _environment(
            "DefeatZerglingsAndBanelings",
            "Nine marines fight waves of zerglings and banelings.",
            "combat",
            "attack_move",
            "focus",
            reference="focus",
        ),
        _environment(
            "CollectMineralsAndGas", "SCVs gather minerals and gas.", "economy", "harvest", "expand", reference="expand"
        ),
        _environment(
            "BuildMarines",
            "Depots and barracks, and as many marines as possible.",
            "economy",
            "builder",
            reference="builder",
        ),
    ),
    "commands": {"sc2": f"{__name__}.commands:app"},
}

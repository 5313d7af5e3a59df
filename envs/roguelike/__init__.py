"""Non-player characters of a roguelike game that survive changes of its design."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import lazily

if TYPE_CHECKING:
    from .design import DesignError, design_id, load, shipped
    from .env import RoguelikeEnv, RoguelikeVectorEnv
    from .params import Design

__all__ = ["FAMILY", "Design", "DesignError", "RoguelikeEnv", "RoguelikeVectorEnv", "design_id", "load", "shipped"]

__getattr__ = lazily(
    __name__,
    {
        "Design": "params",
        "DesignError": "design",
        "RoguelikeEnv": "env",
        "RoguelikeVectorEnv": "env",
        "design_id": "design",
        "load": "design",
        "shipped": "design",
    },
)


_SHARED: dict[str, Any] = {
    "entry_point": f"{__name__}.env:RoguelikeEnv",
    "vector_entry_point": f"{__name__}.env:RoguelikeVectorEnv",
    "max_episode_steps": 100,
    "experts": {expert: f"{__name__}.experts:{expert}" for expert in ("chaser", "kiter", "greedy", "search")},
    "reference": "greedy",
    "play": f"{__name__}.play:play",
}

FAMILY: dict[str, Any] = {
    "name": "roguelike",
    "extra": "roguelike",
    "title": "Non-player characters under changing designs",
    "environments": (
        {
            "id": "rlx/RoguelikeNPC-v0",
            "summary": "Fight the player as a non-player character, under a game design that may change.",
            "tags": ("discrete", "game"),
            "paper": "https://arxiv.org/abs/2012.03532",
            **_SHARED,
        },
        {
            "id": "rlx/RoguelikeNPC-Paper-v0",
            "summary": "The duel in which DeepCrawl's agents were trained, against a target that moves at random.",
            "kwargs": {"design": "paper"},
            "tags": ("discrete", "game"),
            "paper": "https://arxiv.org/abs/2012.01914",
            **_SHARED,
        },
    ),
    "commands": {"rogue": f"{__name__}.commands:app"},
}

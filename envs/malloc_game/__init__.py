"""Memory mapping of ML programs: which tensors live in fast memory, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import lazily

if TYPE_CHECKING:
    from .env import MallocGameEnv, MallocGameVectorEnv
    from .params import CHIPS, Chip
    from .program import Program, load, shipped

__all__ = ["CHIPS", "FAMILY", "Chip", "MallocGameEnv", "MallocGameVectorEnv", "Program", "load", "shipped"]

__getattr__ = lazily(
    __name__,
    {
        "CHIPS": "params",
        "Chip": "params",
        "MallocGameEnv": "env",
        "MallocGameVectorEnv": "env",
        "Program": "program",
        "load": "program",
        "shipped": "program",
    },
)


_PACKERS = ("greedy_size", "first_fit", "best_fit", "most_contact", "cp_sat")
_EXPERTS = ("all_slow", "greedy", "greedy_future", "msa", "msa_search", "beam", "mcts")

FAMILY: dict[str, Any] = {
    "name": "malloc_game",
    "extra": "malloc",
    "title": "Memory mapping of ML programs",
    "environments": (
        {
            "id": "rlx/MallocGame-v0",
            "entry_point": f"{__name__}.env:MallocGameEnv",
            "vector_entry_point": f"{__name__}.env:MallocGameVectorEnv",
            "summary": "Which buffers of a compiled ML program lie in fast memory, and when.",
            "tags": ("discrete", "planning", "deterministic"),
            "paper": "https://arxiv.org/abs/2305.07440",
            "experts": {expert: f"{__name__}.experts:{expert}" for expert in _EXPERTS},
            "reference": "greedy_future",
        },
        {
            "id": "rlx/MallocPacking-v0",
            "entry_point": f"{__name__}.packing:MallocPackingEnv",
            "vector_entry_point": f"{__name__}.packing:MallocPackingVectorEnv",
            "summary": "Pack buffers with known lifetimes into a memory that just holds them.",
            "tags": ("discrete", "packing"),
            "experts": {expert: f"{__name__}.packing.experts:{expert}" for expert in _PACKERS},
        },
    ),
    "commands": {},
}

"""Bounds of mallocGame: below every game, by enumeration and by somebody else's games; and near the best game."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlx.envs.malloc_game import Chip
from rlx.envs.malloc_game.bound import LONGEST, bound, exact, unlimited
from rlx.envs.malloc_game.env import MallocGameEnv
from rlx.envs.malloc_game.experts import beam
from rlx.envs.malloc_game.generator import pack
from rlx.envs.malloc_game.kernels import layout
from rlx.envs.malloc_game.params import CHIPS
from rlx.envs.malloc_game.planner import plan
from rlx.envs.malloc_game.program import Buffer, Instruction, Program, load, shipped

INDEPENDENT = Path(__file__).parent / "data" / "malloc_game" / "independent"
#: The unit of the programs below: 8 KiB, which the slow memory moves in 1 ms, and the fast one in 1/4 ms.
UNIT = 8192
CHIP = Chip(
    matrix_rate=1e6, vector_rate=1e6, slow_bandwidth=1e3 * UNIT, fast_bandwidth=4e3 * UNIT, capacity=8 * UNIT,
    alignment=UNIT,
)  # fmt: skip
#: What the solver's tolerances may hide.
CLOSE = 2e-6


def record(program, capacity=8, **rules):
    """Pack a program for `CHIP` with ``capacity`` units of fast memory."""
    return pack(program, dataclasses.replace(CHIP, capacity=capacity * UNIT), **rules)


def program(buffers, instructions):
    """Make a program of (units, kind, is_output, alias) and (inputs, outputs, ms of computation)."""
    count = len(instructions)
    uses = [[t for t, (*moved, _) in enumerate(instructions) if b in sum(moved, [])] for b in range(len(buffers))]
    return Program(
        "test",
        "test",
        tuple(
            Buffer(
                size * UNIT, kind, is_output, alias,
                (uses[b][0] if kind == "temp" else 0, count if is_output else max(uses[b], default=0)),
                (size * UNIT,), "u8",
            )
            for b, (size, kind, is_output, alias) in enumerate(buffers)
        ),
        tuple(
            Instruction(
                "fusion",
                tuple((b, buffers[b][0] * UNIT) for b in read),
                tuple((b, buffers[b][0] * UNIT) for b in written),
                milliseconds * 1000,
                milliseconds * 1000,
            )
            for read, written, milliseconds in instructions
        ),
    )  # fmt: skip


def tiny(seed):
    """A random program of at most ten uses: given buffers, temporaries, outputs, and updates in place."""
    rng = np.random.default_rng(seed)
    buffers = [(int(rng.integers(1, 7)), "param", False, b) for b in range(int(rng.integers(1, 3)))]
    instructions, uses = [], 0
    while uses < 8:
        read = rng.permutation(len(buffers))[: int(rng.integers(1, 3))].tolist()
        size, alias = int(rng.integers(1, 7)), len(buffers)
        if buffers[read[0]][1] == "temp" and rng.random() < 0.3:
            size, alias = buffers[read[0]][0], buffers[read[0]][3]
        buffers.append((size, "temp", False, alias))
        instructions.append((read, [len(buffers) - 1], int(rng.integers(0, 12))))
        uses += len(read) + 1
    read = {b for inputs, *_ in instructions for b in inputs}
    ends = [kind == "temp" and (b not in read or rng.random() < 0.2) for b, (_, kind, *_) in enumerate(buffers)]
    return program(
        [(size, kind, end, alias) for (size, kind, _, alias), end in zip(buffers, ends, strict=True)], instructions
    )


# -------------------------------------------------------------------------------------------------------- tiny programs


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32),
    capacity=st.integers(6, 16),
    strict_bandwidth=st.booleans(),
    is_considerate=st.booleans(),
    choices=st.sampled_from((1, 8)),
)
def test_no_game_beats_the_bound(seed, capacity, **rules):
    row = record(tiny(seed), capacity, **rules)
    best = exact(row)
    assert bound(row, 0.0) <= bound(row) <= best * (1 + 1e-9)
    assert best <= row["all_slow"] * (1 + 1e-9)


def test_the_bound_is_mostly_the_best_game():
    """With a choice of offsets; unlimited memory alone rarely tells."""
    rows = [record(tiny(seed), choices=8) for seed in range(40)]
    best = np.array([exact(row) for row in rows])
    gaps = 1.0 - np.array([[bound(row), bound(row, 0.0), unlimited(row)] for row in rows]) / best[:, None]
    solved, fractional, without_limits = (gaps < CLOSE).mean(axis=0)
    assert without_limits < fractional < solved
    assert solved > 0.75
    assert gaps[:, 0].mean() < 0.1 * gaps[:, 2].mean()


@pytest.mark.parametrize(
    ("what", "buffers", "instructions", "capacity", "milliseconds"),
    [
        # 4 units move while the first instruction computes.
        ("a copy hides", [(4, "param", False, 0)], [([], [], 4), ([0], [], 0)], 8, 4 + 1),
        # 2 of the 4 stall, which costs 2 ms and saves 3.
        ("half a copy stalls", [(4, "param", False, 0)], [([], [], 2), ([0], [], 0)], 8, 2 + 2 + 1),
        ("a copy has no time", [(4, "param", False, 0)], [([0], [], 0)], 8, 4),
        # Fast at its making and its use.
        ("a temporary stays", [(4, "temp", False, 0)], [([], [0], 0), ([0], [], 0)], 8, 1 + 1),
        # Only one of them fits while both live; the other is slow twice.
        (
            "two temporaries compete",
            [(5, "temp", False, 0), (5, "temp", False, 1)],
            [([], [0], 0), ([], [1], 0), ([0], [], 0), ([1], [], 0)], 8, 2 * 1.25 + 2 * 5,
        ),
        # Going back to the slow memory takes 4 ms, of which the last instruction hides 3.
        ("an output goes back", [(4, "temp", True, 0)], [([], [0], 0), ([], [], 3)], 8, 1 + 3 + 1),
        # A temporary takes its place between its uses; what is clean leaves for nothing.
        (
            "a parameter gives way",
            [(4, "param", False, 0), (6, "temp", False, 1)],
            [([], [], 4), ([0], [], 0), ([], [1], 0), ([1], [], 0), ([], [], 4), ([0], [], 0)], 8, 4 + 1 + 3 + 4 + 1,
        ),
        # One that is dirty may be written back in time, but is slow at its next use; or it was slow when it was made.
        (
            "a temporary gives way",
            [(4, "temp", False, 0), (6, "temp", False, 1)],
            [([], [0], 0), ([], [], 4), ([], [1], 0), ([1], [], 0), ([], [], 4), ([0], [], 0)], 8, 1 + 4 + 3 + 4 + 4,
        ),
        # Read twice: copied once during the computation.
        ("a parameter stays", [(4, "param", False, 0)], [([], [], 9), ([0], [], 0), ([0], [], 0)], 8, 9 + 1 + 1),
    ],
)  # fmt: skip
def test_by_hand(what, buffers, instructions, capacity, milliseconds):
    row = record(program(buffers, instructions), capacity)
    assert exact(row) == pytest.approx(1e-3 * milliseconds, rel=1e-12), what
    assert bound(row) == pytest.approx(1e-3 * milliseconds, rel=CLOSE), what


def test_a_copy_that_would_stall_may_be_illegal():
    row = record(program([(4, "param", False, 0)], [([], [], 2), ([0], [], 0)]), strict_bandwidth=True)
    assert exact(row) == pytest.approx(1e-3 * (2 + 4), rel=1e-12)
    assert bound(row) == pytest.approx(1e-3 * (2 + 4), rel=CLOSE)


def test_pieces_of_a_copy_take_less_room():
    """The second parameter finds no room beside the first; but 3 of its 4 units would, before 1 that stalls."""
    buffers = [(5, "param", False, 0), (4, "param", False, 1)]
    row = record(program(buffers, [([], [], 9), ([0], [], 0), ([1], [], 0)]))
    assert exact(row) == pytest.approx(1e-3 * (9 + 1.25 + 4), rel=1e-12)
    assert bound(row) == pytest.approx(1e-3 * (9 + 1.25 + 1 + 1), rel=CLOSE)


def test_more_memory_never_raises_the_bound():
    gains = []
    for seed in range(8):
        bounds = np.array([bound(record(tiny(seed), capacity)) for capacity in (6, 7, 8, 10, 12, 16, 64)])
        assert (bounds[1:] <= bounds[:-1] * (1 + CLOSE)).all()
        gains.append(bounds[0] / bounds[-1])
    assert max(gains) > 1.1


def test_enumeration_agrees_with_an_exhaustive_beam():
    for seed in range(4):
        env = MallocGameEnv(tiny(seed), CHIP, observation="buffer")
        observation, info = env.reset(seed=0)
        policy = beam(env, width=3 ** int(env.packed()[0]["uses"]))
        policy.reset()
        is_over = False
        while not is_over:
            observation, _, is_over, _, info = env.step(policy.act(observation, info))
        assert exact(env.packed()[0]) == pytest.approx(info["signals"]["latency"], rel=1e-12)


def test_what_cannot_be_done_is_told():
    row = record(load("mlp6_infer"), 16384)
    assert row["uses"] > LONGEST
    with pytest.raises(ValueError, match=rf"{row['uses']} uses, allowed are {LONGEST}"):
        exact(row)
    with pytest.raises(ValueError, match="seconds = -1"):
        bound(row, -1.0)


# -------------------------------------------------------------------------------------------------------- real programs


@pytest.mark.parametrize(
    ("name", "chip"),
    [
        *((name, "tpuv4i") for name in shipped()),
        *((name, "edge") for name in ("dlrm_infer", "mlp6_train", "unet_infer")),
    ],
)
def test_no_plan_beats_the_bound(name, chip):
    row = pack(load(name), CHIPS[chip])
    first = row["first"][: row["buffers"]]
    worth = np.where(first >= 0, row["worth"][first], 0.0)
    moves = np.zeros(row["uses"], np.int8)
    for order in (np.argsort(-worth), np.argsort(-worth / np.maximum(row["size"][: len(first)], 1.0) ** 0.5)):
        planned = plan(np.array([row]), np.zeros(2, layout(len(row["size"]))[1]), order[worth[order] > 0.0], moves)
        assert bound(row, 0.0) <= planned * (1 + 1e-9)


@pytest.mark.parametrize(
    ("name", "reached", "bounded"),
    [
        # Of an independent prototype of the game: the best speed-up of its search, and the bound of its mixed-integer
        # program, which relaxes more. Printed with three decimals.
        ("mlp6_infer", 1.131, 1.131),
        ("resnet18_infer_b8", 1.577, 1.577),
        ("unet_infer", 1.339, 1.36),
        ("transformer6_infer", 1.698, 1.706),
        ("strassen2_4096", 2.284, 2.616),
    ],
)
def test_between_the_games_and_the_bound_of_the_prototype(name, reached, bounded):
    row = pack(load(INDEPENDENT / f"{name}.json"), CHIPS["tpuv4i"])
    assert reached - 5e-4 <= row["all_slow"] / bound(row) <= bounded + 5e-4


@pytest.mark.parametrize("name", ["alexnet_infer_b32", "unet_infer", "moe8"])
def test_decisions_that_are_not_fractional_prove_more(name):
    row = pack(load(name), CHIPS["tpuv4i"])
    assert bound(row) > bound(row, 0.0)
    assert bound(row) == bound(row)

"""mallocGame: its rules, by random programs and play; its experts, by somebody else's figures and by enumeration."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from rlx.envs.malloc_game import Chip
from rlx.envs.malloc_game.env import MallocGameEnv
from rlx.envs.malloc_game.experts import Planner, beam, greedy, greedy_future, mcts, msa, msa_search
from rlx.envs.malloc_game.generator import pack
from rlx.envs.malloc_game.program import Buffer, Instruction, Program
from rlx.registry.checks import check
from rlx.registry.experts import make_expert

INDEPENDENT = Path(__file__).parent / "data" / "malloc_game" / "independent"
SMALL_CHIP = Chip(matrix_rate=1e9, vector_rate=1e9, slow_bandwidth=1e6, fast_bandwidth=4e6, capacity=96 * 1024)
KEEP, COPY, DROP = 0, 1, 2


def random_program(seed, most=12):
    """A valid program: parameters, temporaries, outputs, and sometimes an alias group that is updated in place."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(2, most + 1))
    sizes = rng.choice([2048, 8192, 16384, 32768, 65536, 131072], size=3 + 2 * count)
    given, made = int(rng.integers(1, 4)), 0
    kinds = ["param"] * given
    inputs, outputs, alias = [], [], list(range(given))
    for _ in range(count):
        read = rng.choice(len(kinds), size=min(len(kinds), int(rng.integers(1, 4))), replace=False)
        inputs.append(tuple((int(b), int(sizes[b]) // int(rng.choice([1, 1, 2]))) for b in read))
        new = len(kinds)
        kinds.append("temp")
        roots = [alias[b] for b in read if kinds[b] == "temp"]
        if roots and rng.random() < 0.3:  # in place
            alias.append(roots[0])
            sizes[new] = sizes[roots[0]]
        else:
            alias.append(new)
        outputs.append(((new, int(sizes[new])),))
        made += 1
    used = [[t for t in range(count) if any(b == c for c, _ in inputs[t] + outputs[t])] for b in range(len(kinds))]
    is_output = [kind == "temp" and (not used[b][1:] or rng.random() < 0.2) for b, kind in enumerate(kinds)]
    buffers = tuple(
        Buffer(
            bytes=int(sizes[b]), kind=kind, is_output=bool(is_output[b]), alias=alias[b], shape=(int(sizes[b]),),
            dtype="u8",
            live=(0 if kind == "param" else used[b][0], count if is_output[b] else max(used[b], default=0)),
        )
        for b, kind in enumerate(kinds)
    )  # fmt: skip
    flops = rng.integers(0, 60_000_000, size=count)
    instructions = tuple(
        Instruction("fusion", inputs[t], outputs[t], int(flops[t]), int(flops[t] * rng.random())) for t in range(count)
    )
    return Program(f"random{seed}", "test", buffers, instructions)


def needs_decisions(program):
    try:
        pack(program, SMALL_CHIP)
    except ValueError:
        return False
    return True


PROGRAMS = [program for program in map(random_program, range(80)) if needs_decisions(program)]


def play(env, choose):
    """Play a game; return its info at the end and the sum of rewards."""
    observation, info = env.reset(seed=0)
    total = 0.0
    while True:
        observation, reward, terminated, _, info = env.step(choose(observation, info))
        total += reward
        if terminated:
            return info, total


def by(factory, env, **kwargs):
    policy = factory(env, **kwargs)
    policy.reset()
    return play(env, policy.act)[0]["speedup"]


def chunks(game):
    n = int(game["chunks"])
    return [{name: int(game[name][i]) for name in ("owner", "begin", "end", "place")} for i in range(n)]


# -------------------------------------------------------------------------------------------------------------- rules


@pytest.mark.parametrize("offset", ["best_fit", "considerate", "agent"])
@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_random_play_keeps_the_rules(program, strict, offset):
    env = MallocGameEnv(program, SMALL_CHIP, strict_bandwidth=strict, offset=offset)
    rng, choices = np.random.default_rng(1), env.action_space.n // 2
    observation, info = env.reset(seed=0)
    row = env.packed()[0]
    total, is_over, before = 0.0, False, row["all_slow"]
    while not is_over:
        assert env.observation_space.contains(observation)
        mask = info["action_mask"]
        assert mask[-1] == 1
        assert not (mask[:choices].any() and mask[choices:-1].any())
        if strict:
            assert not (mask[choices] and info["signals"]["stall"] > 0.0)
        action = int(rng.choice(np.flatnonzero(mask)))
        observation, reward, is_over, truncated, info = env.step(action)
        total += reward
        assert not truncated
        assert reward == pytest.approx((before - info["signals"]["latency"]) / row["all_slow"], abs=1e-9)
        before = info["signals"]["latency"]

        game = env._states[0]
        count = len(program.instructions)
        # No two chunks overlap, and all are within the fast memory.
        placed = chunks(game)
        for chunk in placed:
            chunk["top"] = chunk["place"] + int(row["room"][chunk["owner"]])
            assert 0 <= chunk["place"] and chunk["top"] <= SMALL_CHIP.capacity
            assert chunk["place"] % SMALL_CHIP.alignment == 0
            assert 0 <= chunk["begin"] <= chunk["end"] < count
        for one, other in itertools.combinations(placed, 2):
            apart_in_time = one["end"] < other["begin"] or other["end"] < one["begin"]
            assert apart_in_time or one["top"] <= other["place"] or other["top"] <= one["place"]
        # Copies live on what is idle: they lengthen nothing.
        slow, fast, copied = (game[name][:count] for name in ("slow", "fast", "copied"))
        base = np.maximum(row["compute"][:count], fast / row["fast_bandwidth"] + slow / row["slow_bandwidth"])
        assert ((slow + copied) / row["slow_bandwidth"] <= base * (1 + 1e-9) + 1e-15).all()
        assert info["signals"]["latency"] == pytest.approx(
            base.sum() + game["waited"][:count].sum() / row["slow_bandwidth"], rel=1e-9
        )
    assert total == pytest.approx(1.0 - 1.0 / info["speedup"], abs=1e-9)
    # Nothing that the program hands back is in fast memory alone.
    outputs = np.flatnonzero(row["is_output"][: len(program.buffers)])
    assert all(game["has_slow"][b] for b in outputs if row["first"][b] >= 0)


def two_uses(size=8192, gap=1, in_place=False):
    """Made at 0, used ``gap`` instructions later, handed back by a last one."""
    buffers = [
        Buffer(size, "param", False, 0, (0, 0), (size,), "u8"),
        Buffer(size, "temp", in_place, 1, (0, gap + (1 if in_place else 0)), (size,), "u8"),
    ]
    moves = [Instruction("a", ((0, size),), ((1, size),), 0, 0)]
    moves += [Instruction("wait", (), (), 10_000_000, 0)] * (gap - 1)
    buffers.append(Buffer(size, "temp", not in_place, 1 if in_place else 2, (gap, gap + 1), (size,), "u8"))
    moves.append(Instruction("b", ((1, size),), ((2, size),), 0, 0))
    return Program("two", "test", tuple(buffers), tuple(moves))


def test_latency_by_hand():
    """8 KiB from and to a slow memory of 1 MB/s take 8.192 ms each; the fast one is four times as fast."""
    env = MallocGameEnv(two_uses(), SMALL_CHIP)
    _, info = env.reset(seed=0)
    assert info["signals"]["latency"] == pytest.approx(4 * 8.192e-3)
    assert info["action_mask"].tolist() == [0, 1, 1]
    assert info["signals"]["stall"] == pytest.approx(8.192e-3)  # nothing before it in which to copy
    *_, info = env.step(DROP)
    *_, info = env.step(KEEP)
    assert info["signals"]["latency"] == pytest.approx(8.192e-3 * 3.25)
    *_, info = env.step(KEEP)
    assert info["signals"]["latency"] == pytest.approx(8.192e-3 * 2.5)
    *_, info = env.step(KEEP)  # the output: has to be written back, with nothing after it
    assert info["reward_terms"]["write_back"] == pytest.approx(-0.25)
    assert info["signals"]["latency"] == pytest.approx(8.192e-3 * 2.75)
    assert info["speedup"] == pytest.approx(4 / 2.75)


def test_writing_back_uses_idle_bandwidth_or_stalls():
    for gap, lost in ((2, 0.0), (1, 8.192e-3)):
        env = MallocGameEnv(two_uses(gap=gap), SMALL_CHIP)
        env.reset(seed=0)
        env.step(DROP)
        env.step(KEEP)
        *_, info = env.step(DROP)  # its only copy is in fast memory
        assert -info["reward_terms"]["write_back"] * env.packed()[0]["all_slow"] == pytest.approx(lost)


def test_an_alias_group_stays_together():
    env = MallocGameEnv(two_uses(in_place=True), SMALL_CHIP)
    env.reset(seed=0)
    env.step(DROP)
    env.step(KEEP)
    env.step(KEEP)
    *_, info = env.step(KEEP)
    assert len(chunks(env._states[0])) == 1  # the update lies where its root lies
    env.reset(seed=0)
    env.step(DROP)
    *_, info = env.step(DROP)
    assert info["action_mask"].tolist() == [0, 0, 1]  # dropped, with all its members


def test_small_and_huge_buffers_are_nobodys_decision():
    uses = [
        int(env.packed()[0]["uses"])
        for env in (
            MallocGameEnv(two_uses(8192), SMALL_CHIP),
            MallocGameEnv(two_uses(8192), {"capacity": 8192, "alignment": 1}),
        )
    ]
    assert uses == [4, 4]
    with pytest.raises(ValueError, match="Nothing to decide: no buffer of two has between 4096 and 98304 bytes"):
        MallocGameEnv(two_uses(4095), SMALL_CHIP)
    with pytest.raises(ValueError, match="Nothing to decide"):
        MallocGameEnv(two_uses(98305), SMALL_CHIP)


def test_what_the_mask_rules_out_counts_as_drop():
    env, other = MallocGameEnv(two_uses(), SMALL_CHIP), MallocGameEnv(two_uses(), SMALL_CHIP)
    env.reset(seed=0)
    other.reset(seed=0)
    assert env.step(KEEP)[1] == other.step(DROP)[1]
    assert (env._states[0]["chunks"], env._states[0]["use"]) == (0, 1)


@pytest.mark.parametrize(("arguments", "message"), [
    ({"program": "alexnet"}, "alexnet"),
    ({"program": []}, "at least one is needed"),
    ({"chip": "tpuv5"}, "chip = 'tpuv5' is unknown. Allowed: tpuv4i, tpuv4, edge"),
    ({"chip": {"capcity": 1}}, "A chip has no 'capcity'. It has: matrix_rate"),
    ({"chip": {"fast_bandwidth": 1e9}}, "below slow_bandwidth"),
    ({"chip": {"capacity": 5000}}, "not a multiple of alignment"),
    ({"observation": "all"}, "observation = 'all' is unknown. Allowed: whole, buffer"),
    ({"offset": "first"}, "offset = 'first' is unknown. Allowed: best_fit, considerate, agent"),
])  # fmt: skip
def test_mistakes_are_told(arguments, message):
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        MallocGameEnv(**arguments)


@pytest.mark.parametrize(
    "arguments",
    [{"offset": "agent"}, {"program": ["mlp6_infer", "moe8"], "offset": "agent", "observation": "buffer"}],
)
def test_variants_keep_the_contract(arguments):
    assert check("rlx/MallocGame-v0", **arguments)  # raises at the first clause that is broken


def test_the_agent_chooses_among_the_gaps_there_are():
    """Two gaps are left around a buffer that stays: the smaller first; the choice moves the chunk and nothing else."""
    kib = 1024
    sizes = (8 * kib, 16 * kib, 64 * kib, 8 * kib)
    buffers = [Buffer(sizes[0], "param", False, 0, (0, 0), (sizes[0],), "u8")]
    buffers += [Buffer(size, "temp", i == 3, i, (i - 1, 4), (size,), "u8") for i, size in enumerate(sizes[1:], 1)]
    # 1 lies below 2; when 1 has ended there are 16 KiB below and 24 KiB above.
    moves = [
        Instruction("a", ((0, sizes[0]),), ((1, sizes[1]),), 0, 0),
        Instruction("b", ((1, sizes[1]),), ((2, sizes[2]),), 0, 0),
        Instruction("c", ((2, sizes[2]),), ((3, sizes[3]),), 0, 0),
        Instruction("d", ((2, sizes[2]), (3, sizes[3])), (), 0, 0),
    ]
    program = Program("gaps", "test", tuple(buffers), tuple(moves))
    chip = {**dataclasses.asdict(SMALL_CHIP), "capacity": 104 * kib}
    places = []
    for choice in range(3):
        env = MallocGameEnv(program, chip, offset="agent")
        observation, _ = env.reset(seed=0)
        for action in (16, 0, 0, 0, 0):
            observation, *_, info = env.step(action)
        assert np.flatnonzero(info["action_mask"]).tolist() == [0, 1, 16]
        np.testing.assert_allclose(observation["gaps"][:2, :2] * 104, [[0, 16], [80, 24]], rtol=1e-6)
        assert (observation["gaps"][2:] == 0).all()
        env.step((0, 1, 2)[choice])
        placed = [chunk["place"] for chunk in chunks(env._states[0]) if chunk["owner"] == 3]
        places.append(placed)
    assert places == [[0], [80 * kib], []]  # the third choice is not there: it counts as Drop


def test_each_episode_draws_one_of_several_programs():
    env = gymnasium.make("rlx/MallocGame-v0", program=["mlp6_infer", "moe8"], observation="buffer")
    envs = gymnasium.make_vec("rlx/MallocGame-v0", 8, program=["mlp6_infer", "moe8"], observation="buffer")
    _, infos = envs.reset(seed=0)
    drawn = infos["signals"]["program"]
    assert set(drawn) == {0.0, 1.0}
    for seed in range(8):
        _, info = env.reset(seed=seed)
        assert info["signals"]["program"] == drawn[seed]
        assert env.unwrapped.program.name == ("mlp6_infer", "moe8")[int(drawn[seed])]
        alone = gymnasium.make("rlx/MallocGame-v0", program=env.unwrapped.program, observation="buffer")
        alone.reset(seed=0)
        for _ in range(10):
            action = int(np.argmax(info["action_mask"]))
            observation, *_, info = env.step(action)
            expected, *_, its_info = alone.step(action)
            assert all((observation[key] == expected[key]).all() for key in expected)
            assert info["signals"]["latency"] == its_info["signals"]["latency"]


def test_many_games_tell_their_speed_ups_too():
    envs = gymnasium.make_vec("rlx/MallocGame-v0", 2, program="mlp6_infer", observation="buffer")
    _, info = envs.reset(seed=0)
    for _ in range(28):
        _, _, terminated, _, info = envs.step(info["action_mask"].argmax(axis=1))
    assert terminated.all() and info["_speedup"].all()
    assert info["speedup"] == pytest.approx(by(greedy, MallocGameEnv("mlp6_infer")), rel=1e-12)


# ------------------------------------------------------------------------------------------------------------ experts

#: Speed-ups over slow memory alone, from an independent prototype of the game (chip tpuv4i): greedy, greedy that looks
#: at the future, XLA-like plan, and the upper bound of a mixed-integer program.
FIGURES = {
    "mlp6_infer": (1.024, 1.131, 1.112, 1.131),
    "resnet18_infer_b8": (1.362, 1.412, 1.541, 1.577),
    "unet_infer": (1.153, 1.233, 1.33, 1.36),
    "alexnet_train_b32": (1.049, 1.117, 1.262, 2.09),
    "transformer6_infer": (1.51, 1.525, 1.698, 1.706),
    "strassen2_4096": (1.407, 1.403, 2.241, 2.616),
    "lstm_unroll16_train": (1.507, 1.507, 2.143, 3.66),
}
#: Two rules that the prototype left open decide here. Of equally small gaps ours is the lowest: with the highest, lstm
#: is 1.7 % below the figure, with first fit 0.4 %, instead of 5.0 %. And Drop gives the place in fast memory up: if a
#: dropped buffer could return to it, alexnet were 0.9 % below instead of 2.2 %.
GREEDY_TOLERANCE = {"alexnet_train_b32": 0.025, "lstm_unroll16_train": 0.055}


#: The longest program, which is played for half a minute, is left to the slow tests.
PROGRAMS = [pytest.param(name, marks=pytest.mark.slow) if name.startswith("lstm") else name for name in FIGURES]


@pytest.fixture(scope="module", params=PROGRAMS)
def independent(request):
    return request.param, MallocGameEnv(INDEPENDENT / f"{request.param}.json", observation="buffer")


def test_all_slow_and_greedy_agree_with_the_prototype(independent):
    name, env = independent
    assert play(env, lambda *_: DROP)[0]["speedup"] == pytest.approx(1.0, abs=1e-12)
    assert by(greedy, env) == pytest.approx(FIGURES[name][0], rel=GREEDY_TOLERANCE.get(name, 0.02))


def test_the_plan_is_as_good_as_the_prototype_s_and_below_the_bound(independent):
    name, env = independent
    env.reset(seed=0)
    planner = Planner(env)
    planned = float(planner.rows[0]["all_slow"]) / planner.plan(planner.order)[1]
    assert planned > 0.98 * FIGURES[name][2]
    for factory in (greedy, greedy_future, msa, msa_search):
        assert by(factory, env) < 1.0005 * FIGURES[name][3]  # printed with three decimals


def test_experts_find_what_enumeration_finds():
    """On tiny programs all games can be played; a beam that keeps all of them must find the best, others not more."""
    tried = 0
    for program in map(lambda seed: random_program(1000 + seed, 3), range(40)):
        if not needs_decisions(program):
            continue
        env = MallocGameEnv(program, SMALL_CHIP, observation="buffer")
        env.reset(seed=0)
        uses = int(env.packed()[0]["uses"])
        if uses > 7:
            continue
        games = (iter(moves) for moves in itertools.product(range(3), repeat=uses))
        best = max(play(env, lambda *_, game=game: next(game))[0]["speedup"] for game in games)
        assert by(beam, env, width=3**uses) == pytest.approx(best, rel=1e-12)
        assert by(mcts, env, simulations=300) == pytest.approx(best, rel=1e-12)
        for factory in (greedy, greedy_future, msa, msa_search):
            assert by(factory, env) <= best * (1 + 1e-12)
        tried += 1
    assert tried > 15


def test_plans_follow_the_chip_of_the_episode():
    env = gymnasium.make("rlx/MallocGame-v0", observation="buffer")
    policy = make_expert(env, "msa")
    for bandwidth in (614e9, 200e9):
        observation, info = env.reset(seed=0, options={"context": {"slow_bandwidth": bandwidth}})
        policy.reset()
        fresh = make_expert(env, "msa")
        fresh.reset()
        terminated = False
        while not terminated:
            action = policy.act(observation, info)
            assert action == fresh.act(observation, info)
            observation, _, terminated, _, info = env.step(action)
        assert info["speedup"] > 1.0


# ------------------------------------------------------------------------------------------------------------ pictures


def test_the_memory_map_shows_what_lies_where():
    env = MallocGameEnv(two_uses(size=49152), SMALL_CHIP, render_mode="rgb_array")
    env.reset(seed=0)
    empty = env.render()
    assert empty.shape == (600, 960, 3)
    env.step(DROP)
    env.step(KEEP)
    picture = env.render()
    # The lower half of the map, in the first of two instructions, has the colour of temporaries.
    assert tuple(picture[400, 300]) == (56, 142, 84)
    assert tuple(picture[150, 300]) == (255, 255, 255)
    assert (empty != picture).any()

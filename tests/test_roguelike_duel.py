"""The duel: PettingZoo's tests, agreement with RoguelikeNPC, turns, teams, ends."""

from __future__ import annotations

import collections
import dataclasses
import pickle
import subprocess
import sys
import warnings

import gymnasium
import numpy as np
import pettingzoo
import pytest
from gymnasium.error import InvalidAction
from pettingzoo.test import api_test, parallel_api_test, parallel_seed_test, seed_test

from rlx.envs.roguelike import duel_v0, load

POTION = 8
KINDS = [{}, {"obs": "dense"}, {"obs": "entities"}, {"npcs": 2}, {"npcs": 3, "npc_class": "archer"}]
#: All that PettingZoo says of an observation that is a dict of several arrays.
HARMLESS = ("Observation is not a NumPy array", "Observation space for each agent probably should be")


def only_harmless(test, *arguments, **more):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        test(*arguments, **more)
    assert [str(one.message) for one in caught if not str(one.message).startswith(HARMLESS)] == []


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_pettingzoo_agrees(kind):
    only_harmless(api_test, duel_v0.env(**kind), num_cycles=300)
    only_harmless(seed_test, lambda: duel_v0.env(**kind), num_cycles=100)
    only_harmless(parallel_api_test, duel_v0.parallel_env(**kind), num_cycles=300)
    only_harmless(parallel_seed_test, lambda: duel_v0.parallel_env(**kind), num_cycles=100)


@pytest.mark.skipif(not hasattr(pettingzoo, "register"), reason="PettingZoo has a registry since 1.27")
def test_it_is_registered():
    duel = pettingzoo.make("aec", "rlx/roguelike_duel_v0", npcs=2)
    assert duel.possible_agents == ["npc_0", "npc_1", "player_0"]
    assert pettingzoo.make("parallel", "rlx/roguelike_duel_v0").possible_agents == ["npc_0", "player_0"]


def test_without_pettingzoo_it_says_what_to_install():
    code = "import sys; sys.modules['pettingzoo'] = None; import rlx.envs.roguelike.duel_v0"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert child.returncode != 0
    assert 'DependencyNotInstalled: The duel needs PettingZoo: pip install "rlx[pettingzoo]"' in child.stderr


# ---------------------------------------------------------------------------------- agreement with the one-sided game


class Wanderer:
    """A legal action in four of five decisions, any in the fifth."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)

    def act(self, mask):
        return int(self.rng.choice(np.flatnonzero(mask) if self.rng.random() < 0.8 else len(mask)))


def one_sided(env, seed):
    """Play an episode of RoguelikeNPC; return what the npc saw and got after each decision, and how it ended."""
    npc, moments = Wanderer(seed), []
    observation, info = env.reset(seed=seed)
    while True:
        observation, reward, terminated, truncated, info = env.step(npc.act(info["action_mask"]))
        moments.append((observation, reward, terminated, truncated))
        if terminated or truncated:
            return moments, info["result"]


def two_sided(duel, seed, rule):
    """Play the same in the duel, the player by a rule."""
    npc, moments, result = Wanderer(seed), [], None
    duel.reset(seed=seed)
    for agent in duel.agent_iter():
        observation, reward, terminated, truncated, info = duel.last()
        if agent == "npc_0":
            moments.append((observation["observation"], reward, terminated, truncated))
            result = info.get("result")
        if terminated or truncated:
            duel.step(None)
        else:
            duel.step(npc.act(info["action_mask"]) if agent == "npc_0" else duel.unwrapped.advise(rule))
    return moments[1:], result


@pytest.mark.parametrize("rule, obs", [("chaser", "ids"), ("kiter", "entities"), ("greedy", "dense")])
def test_the_npc_lives_through_the_episodes_of_roguelike_npc(rule, obs):
    env = gymnasium.make("rlx/RoguelikeNPC-v0", opponent=rule, obs=obs, npc_class="warrior")
    duel = duel_v0.env(obs=obs, npc_class="warrior")
    results = collections.Counter()
    for seed in range(60):
        expected, result = one_sided(env, seed)
        moments, same_result = two_sided(duel, seed, rule)
        assert same_result == result
        assert len(moments) == len(expected)
        for (seen, *got), (seen_alone, *got_alone) in zip(moments, expected, strict=True):
            assert got == got_alone
            assert all(np.array_equal(values, seen_alone[name]) for name, values in seen.items())
        results[result] += 1
    assert results["loss"] > 0
    if rule == "kiter":
        assert results["timeout"] > 0


def test_time_runs_out_as_it_does_there():
    env = gymnasium.make("rlx/RoguelikeNPC-v0", opponent="kiter", max_episode_steps=9)
    duel = duel_v0.env(max_cycles=9)
    for seed in range(20):
        expected, result = one_sided(env, seed)
        moments, same_result = two_sided(duel, seed, "kiter")
        assert (same_result, len(moments), moments[-1][1:3]) == (result, len(expected), expected[-1][1:3])


# --------------------------------------------------------------------------------------------------------------- turns


def legal(duel):
    return int(np.argmax(duel.last()[0]["action_mask"]))


def with_potions(duel):
    """Start an episode in which the npc has a potion."""
    for seed in range(50):
        duel.reset(seed=seed)
        if duel.last()[0]["action_mask"][POTION]:
            return
    raise AssertionError("nobody starts with a potion")


def test_a_potion_keeps_the_turn():
    duel = duel_v0.env()
    with_potions(duel)
    duel.step(POTION)
    assert duel.agent_selection == "npc_0"
    assert duel.infos["npc_0"]["reward_terms"]["potion"] == 0.01
    duel.step(legal(duel))
    assert duel.agent_selection == "player_0"


def test_what_is_illegal_costs_and_keeps_the_turn():
    duel = duel_v0.env()
    duel.reset(seed=0)
    duel.step(legal(duel))
    assert duel.agent_selection == "player_0"
    mask = duel.last()[0]["action_mask"]
    for action in np.flatnonzero(mask == 0):
        duel.step(action)
        assert duel.agent_selection == "player_0"
        assert duel.rewards == {"npc_0": 0.0, "player_0": -0.1 if action <= POTION else -0.01}
        assert not any(duel.terminations.values())


def test_only_who_is_asked_has_a_mask():
    duel = duel_v0.env(npcs=2)
    duel.reset(seed=0)
    for agent in duel.agent_iter(60):
        for other in duel.agents:
            mask = duel.observe(other)["action_mask"]
            is_asked = other == agent and not duel.terminations[other] and not duel.truncations[other]
            assert mask.any() == is_asked
            assert ("action_mask" in duel.infos[other]) == (other == agent)
        over = duel.terminations[agent] or duel.truncations[agent]
        duel.step(None if over else legal(duel))


@pytest.mark.parametrize("obs", ["ids", "dense", "entities"])
def test_policies_of_roguelike_npc_can_read_it(obs):
    space = gymnasium.make("rlx/RoguelikeNPC-v0", obs=obs).observation_space
    duel = duel_v0.env(obs=obs)
    duel.reset(seed=0)
    for agent in duel.agents:
        seen = duel.observe(agent)
        assert seen["observation"] | {"action_mask": seen["action_mask"]} in space


def play_out(duel, choose, seed):
    """Play an episode; return the sum of each agent's rewards, and each one's result."""
    duel.reset(seed=seed)
    totals, results = dict.fromkeys(duel.agents, 0.0), {}
    for agent in duel.agent_iter():
        _, reward, terminated, truncated, info = duel.last()
        totals[agent] += reward
        if terminated or truncated:
            results[agent] = info["result"]
        duel.step(None if terminated or truncated else choose(agent))
    return totals, results


# -------------------------------------------------------------------------------------------------- rewards and endings


def test_both_sides_are_told_who_won():
    base = load("base")
    design = dataclasses.replace(base, reward=dataclasses.replace(base.reward, step=0.0, loss=-3.0))
    duel = duel_v0.env(design=design)
    winners = collections.Counter()
    for seed in range(12):
        totals, results = play_out(duel, lambda agent: duel.unwrapped.advise("chaser"), seed)
        hp = duel.unwrapped.save_state().game.states["hp"][0]
        assert set(results.values()) == {"win", "loss"}
        winner = max(results, key=results.get)
        loser = min(results, key=results.get)
        # Rewards of potions aside, which are a hundredth each.
        assert totals[winner] == pytest.approx(10.0 * hp[int(winner == "player_0")] / 20, abs=0.1)
        assert totals[loser] == pytest.approx(-3.0, abs=0.1)
        winners[winner] += 1
    assert len(winners) == 2


def test_a_player_who_wastes_its_turns_is_cut_off():
    duel = duel_v0.env(max_cycles=5)
    duel.reset(seed=0)
    duel.step(legal(duel))
    for count in range(10):
        assert duel.agent_selection == "player_0" and not any(duel.truncations.values()), count
        duel.step(int(np.argmin(duel.last()[0]["action_mask"])))
    assert all(duel.truncations.values()) and not any(duel.terminations.values())
    assert duel.infos["npc_0"]["result"] == duel.infos["player_0"]["result"] == "timeout"


# --------------------------------------------------------------------------------------------------------------- teams


def test_a_team_takes_turns_and_shares_the_end():
    duel = duel_v0.env(npcs=2)
    fallen, results = 0, collections.Counter()
    for seed in range(30):
        order = []

        def choose(agent, order=order):
            order.append(agent)
            return duel.unwrapped.advise("chaser")

        totals, told = play_out(duel, choose, seed)
        assert told["npc_0"] == told["npc_1"] != told["player_0"]
        state = duel.unwrapped.save_state().game.states[0]
        assert (state["hp"][:2].max() > 0) == (told["npc_0"] == "win")
        for actor, agent in enumerate(("npc_0", "npc_1")):
            if told["npc_0"] == "win":
                assert totals[agent] == pytest.approx(10.0 * state["hp"][actor] / 20, abs=1.0)
            if state["hp"][actor] == 0:
                fallen += 1
                # Not asked any more, once the others have had a turn without it.
                last = len(order) - 1 - order[::-1].index(agent)
                assert set(order[last + 1 :]) <= {"npc_0", "npc_1", "player_0"} - {agent}
        turns = [agent for agent, following in zip(order, order[1:], strict=False) if agent != following]
        assert turns[:3] == ["npc_0", "npc_1", "player_0"]
        results[told["player_0"]] += 1
    assert fallen > 0 and results["loss"] > results["win"]


#: A corridor one cell wide, with closed ends in the north west and in the south east.
CORRIDOR = f"""
extends = "base"
[room]
crates = [0.0, 0.0]
holes = ["{" ".join([10 * "."] * 10)}"]
columns = ["{" ".join([10 * ".", 9 * "#" + ".", 10 * ".", "." + 9 * "#", 10 * ".", *[10 * "#"] * 5])}"]
"""


def test_who_is_blocked_by_its_team_is_not_asked(tmp_path):
    file = tmp_path / "corridor.toml"
    file.write_text(CORRIDOR)
    duel, blocked = duel_v0.raw_env(npcs=2, design=file), 0
    for seed in range(3000):
        duel.reset(seed=seed)
        assert duel.observe(duel.agent_selection)["action_mask"].any()
        x, y = np.argwhere(duel.observe("npc_0")["observation"]["global"] == 2)[0]
        if duel.agent_selection == "npc_1":
            blocked += 1
            assert (x, y) in {(0, 9), (9, 5)}
    assert blocked > 0


# ------------------------------------------------------------------------------------------------- state, context, look


@pytest.mark.parametrize("kind", [{}, {"npcs": 2, "obs": "dense"}], ids=str)
def test_a_saved_state_goes_on_the_same(kind):
    duel = duel_v0.raw_env(**kind)
    duel.reset(seed=4)
    for _ in range(11):
        duel.step(legal(duel))
    state = pickle.loads(pickle.dumps(duel.save_state()))
    futures = []
    for env in (duel, duel, duel_v0.raw_env(**kind)):
        env.load_state(state)
        future = []
        for _ in env.agent_iter(150):
            moment = env.last()
            future.append((env.agent_selection, repr(moment), dict(env.rewards)))
            env.step(None if moment[2] or moment[3] else legal(env))
        futures.append(future)
    assert futures[0] == futures[1] == futures[2]
    assert len(futures[0]) > 50


def test_a_context_is_the_episodes():
    duel = duel_v0.env()
    duel.reset(seed=0, options={"context": {"start.target_hp_low": 40, "start.target_hp_high": 40}})
    assert duel.infos["npc_0"]["signals"]["target_hp"] == 40
    with pytest.raises(ValueError, match="Unknown context name"):
        duel.reset(options={"context": {"start.hp": 1}})
    duel.reset(seed=0)
    assert duel.infos["npc_0"]["signals"]["target_hp"] <= 20


def test_what_is_no_action_is_refused():
    duel = duel_v0.env()
    duel.reset(seed=0)
    before = repr(duel.last())
    for action in (17, -1, None, 0.5):
        with pytest.raises(InvalidAction, match="Discrete"):
            duel.step(action)
    assert repr(duel.last()) == before


@pytest.mark.parametrize(
    "arguments, said",
    [
        ({"npcs": 4}, "npcs = 4: from 1 to 3"),
        ({"max_cycles": 0}, "max_cycles = 0: at least 1"),
        ({"obs": "pixels"}, "obs = 'pixels' is unknown"),
    ],
)
def test_wrong_arguments_are_refused(arguments, said):
    with pytest.raises(ValueError, match=said):
        duel_v0.env(**arguments)


def test_it_can_be_seen():
    duel = duel_v0.env(npcs=2, render_mode="rgb_array")
    duel.reset(seed=0)
    before = duel.render()
    assert before.dtype == np.uint8 and before.ndim == 3
    duel.close()

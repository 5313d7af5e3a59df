"""RoguelikeNPC against policies: alone and in rows, from files, in pools."""

from __future__ import annotations

import copy
import dataclasses

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded

from rlx.baselines.learners import make_learner
from rlx.envs.roguelike import load
from rlx.envs.roguelike.answers import PATIENCE
from rlx.registry import checks

ENV_ID = "rlx/RoguelikeNPC-v0"
POTION = 8


class Crowd:
    """Chooses among the legal actions by a checksum of all it is shown; one observation or a batch of them."""

    is_batched = True

    def __init__(self):
        self.batches = []

    def reset(self):
        raise AssertionError("opponents have no memory that could be reset")

    def act(self, observation, info):
        mask = np.asarray(info["action_mask"])
        assert np.array_equal(mask, observation["action_mask"])
        self.batches.append(mask.shape[:-1])
        rows = mask.reshape(-1, mask.shape[-1])
        total = np.zeros(len(rows), np.int64)
        for values in observation.values():
            flat = np.asarray(values, np.int64).reshape(len(rows), -1)
            total += flat @ np.arange(1, flat.shape[1] + 1)
        for values in info["signals"].values():
            total += np.asarray(values, np.int64).reshape(-1)
        chosen = [np.flatnonzero(row)[number % row.sum()] for row, number in zip(rows, total, strict=True)]
        return np.array(chosen).reshape(mask.shape[:-1])[()]


def single(observation, info):
    """Choose as `Crowd` does, but never for a batch."""
    assert np.ndim(info["action_mask"]) == 1
    return int(Crowd().act(observation, info))


def first_legal(observation, info):
    return int(np.argmax(info["action_mask"]))


def write_policy(path, obs):
    """Write the file of a policy that has learned nothing yet."""
    args = {"hidden_sizes": (8,), "num_envs": 1, "batch_size": 1, "replay_size": 8}
    make_learner("dqn", ENV_ID, {"obs": obs}, args).policy.save(path)
    return str(path)


def play(env, steps, seed=0):
    """Play legal actions, drawn; yield what each step returns."""
    rng = np.random.default_rng(seed)
    observation, info = env.reset(seed=seed)
    for _ in range(steps):
        action = rng.choice(np.flatnonzero(info["action_mask"]))
        observation, reward, terminated, truncated, info = env.step(action)
        yield observation, reward, terminated, truncated, info
        if terminated or truncated:
            observation, info = env.reset()


# ----------------------------------------------------------------------------------------------------------- contract


@pytest.fixture(scope="module")
def entities_policy(tmp_path_factory):
    return write_policy(tmp_path_factory.mktemp("opponents") / "policy.npz", "entities")


@pytest.mark.parametrize(
    "clause",
    [
        checks.gymnasium_agrees,
        checks.episodes_are_lawful,
        checks.seeds_decide,
        checks.reset_goes_on,
        checks.spec_is_json,
        checks.state_is_a_value,
        checks.copies_are_independent,
        checks.rows_equal_singles,
        checks.rows_are_a_value,
    ],
)
def test_the_contract_holds_against_a_pool_and_with_a_team(clause, entities_policy):
    arguments = {"opponent": ["kiter", entities_policy, "random"], "obs": "entities", "npcs": 2}
    assert checks.verify(checks.Subject(ENV_ID, arguments), "", clause).skipped is None


@pytest.mark.parametrize("obs", ["ids", "dense", "entities"])
@pytest.mark.parametrize("opponent", [Crowd(), single, [Crowd(), "chaser", single]], ids=["batched", "single", "pool"])
def test_rows_are_single_environments(opponent, obs):
    rows, steps, seed = 5, 230, 7
    envs = gymnasium.make_vec(ENV_ID, rows, opponent=opponent, obs=obs)
    singles = [gymnasium.make(ENV_ID, opponent=opponent, obs=obs) for _ in range(rows)]
    observations, infos = envs.reset(seed=seed)
    alone = [env.reset(seed=seed + i) for i, env in enumerate(singles)]
    rng, over, ends = np.random.default_rng(1), [False] * rows, 0
    for _ in range(steps):
        actions = np.array([rng.choice(np.flatnonzero(mask)) for mask in infos["action_mask"]])
        observations, rewards, terminations, truncations, infos = envs.step(actions)
        for i, env in enumerate(singles):
            if over[i]:
                observation, info = env.reset()
                reward, terminated, truncated = 0.0, False, False
            else:
                observation, reward, terminated, truncated, info = env.step(actions[i])
            over[i] = terminated or truncated
            ends += over[i]
            assert (reward, terminated, truncated) == (rewards[i], terminations[i], truncations[i])
            assert all(np.array_equal(observation[name], observations[name][i]) for name in observation)
            assert np.array_equal(info["action_mask"], infos["action_mask"][i])
            assert {name: values[i] for name, values in infos["signals"].items()} == info["signals"]
    assert len(alone) == rows and ends > rows


def test_rows_are_asked_together():
    crowd = Crowd()
    envs = gymnasium.make_vec(ENV_ID, 16, opponent=crowd)
    envs.reset(seed=0)
    envs.step(np.full(16, POTION))  # a potion keeps the turn, and one that is not there as well
    assert crowd.batches == []
    _, info = envs.reset(seed=0)
    envs.step(info["action_mask"].argmax(axis=1))
    assert crowd.batches[0] == (16,)
    assert all(len(batch) == 1 and batch[0] < 16 for batch in crowd.batches[1:])  # those that drank first


# ------------------------------------------------------------------------------------------------------------ the game


def by_rule(rule):
    """The opponent that plays as the kernel's rule does, asked as policies are."""
    twin = gymnasium.make(ENV_ID, opponent="external").unwrapped

    def act(observation, info):
        twin.load_state(act.env.unwrapped.save_state())
        return twin.advise(rule)

    return act


@pytest.mark.parametrize("npcs", [1, 2])
@pytest.mark.parametrize("rule", ["chaser", "kiter", "greedy"])
def test_a_policy_that_follows_a_rule_is_that_rule(rule, npcs):
    act = by_rule(rule)
    asked = gymnasium.make(ENV_ID, opponent=act, npcs=npcs)
    act.env = asked
    ruled = gymnasium.make(ENV_ID, opponent=rule, npcs=npcs)
    results = []
    for one, other in zip(play(asked, 600), play(ruled, 600), strict=True):
        assert one[1:4] == other[1:4]
        assert all(np.array_equal(one[0][name], other[0][name]) for name in one[0])
        assert one[4]["signals"] == other[4]["signals"]
        assert one[4]["reward_terms"] == other[4]["reward_terms"]
        if one[2] or one[3]:
            assert one[4]["result"] == other[4]["result"]
            results.append(one[4]["result"])
    assert len(results) > 5 and "loss" in results


def test_the_opponent_sees_the_game_from_its_side():
    seen = []

    def act(observation, info):
        seen.append((observation, info))
        return first_legal(observation, info)

    env = gymnasium.make(ENV_ID, opponent=act)
    shown, info = env.reset(seed=3)
    before = info["signals"]
    env.step(first_legal(None, info))
    observation, info = seen[0]
    assert info["signals"]["turn"] == 1
    assert (info["signals"]["hp"], info["signals"]["target_hp"]) == (before["target_hp"], before["hp"])
    # Each finds itself (2) where the other one finds its target (3).
    assert (observation["global"] == 2).sum() == (observation["global"] == 3).sum() == 1
    assert np.array_equal(np.argwhere(observation["global"] == 2), np.argwhere(shown["global"] == 3))


def test_any_side_can_be_viewed():
    env = gymnasium.make(ENV_ID, opponent="external").unwrapped
    with pytest.raises(ResetNeeded):
        env.view(0)
    observation, info = env.reset(seed=3)
    assert repr(env.view(0)) == repr(observation)
    ahead = env.view(1)
    env.step(first_legal(None, info))
    assert repr(env.view(1)) != repr(ahead)
    env.load_state(env.save_state())
    assert env.view(1)["action_mask"].any()


@pytest.mark.parametrize("loss", [0.0, -10.0])
def test_a_loss_is_the_deciders(loss):
    env = gymnasium.make(ENV_ID, opponent=by_rule("chaser"), design=losing(loss))
    env.unwrapped.problem.step._members[0].act.env = env
    for _, reward, terminated, _, info in play(env, 2000):
        assert reward == pytest.approx(sum(info["reward_terms"].values()))
        assert info["reward_terms"]["loss"] == (loss if terminated and info["result"] == "loss" else 0.0)
        if terminated and info["result"] == "loss":
            return
    raise AssertionError("no game was lost")


def losing(loss):
    design = load("base")
    return dataclasses.replace(design, reward=dataclasses.replace(design.reward, loss=loss))


@pytest.mark.parametrize("make", [gymnasium.make, lambda *args, **more: gymnasium.make_vec(*args, 3, **more)])
def test_an_opponent_that_gets_nowhere_loses_its_turn(make):
    asked = []

    def stubborn(observation, info):
        asked.append(info["signals"]["turn"])
        return int(np.argmin(info["action_mask"]))  # comes to nothing

    env = make(ENV_ID, opponent=stubborn)
    _, info = env.reset(seed=0)
    mask = np.atleast_2d(info["action_mask"])
    *_, info = env.step(mask.argmax(axis=1)[() if len(mask) > 1 else 0])
    assert len(asked) == PATIENCE * len(mask)
    assert not np.any(info["signals"]["turn"])


def test_a_saved_state_goes_on_the_same():
    env = gymnasium.make(ENV_ID, opponent=[first_legal, Crowd(), "random"])
    list(play(env, 12))
    state = env.unwrapped.save_state()
    futures = []
    for _ in range(2):
        env.unwrapped.load_state(state)
        _, info = env.unwrapped.step(POTION)[3:]
        future = []
        for _ in range(40):
            *outcome, info = env.unwrapped.step(first_legal(None, info))
            future.append(outcome)
        futures.append(future)
    assert repr(futures[0]) == repr(futures[1])


# ---------------------------------------------------------------------------------------------------------------- pools


def test_a_pool_draws_one_for_each_episode():
    envs = gymnasium.make_vec(ENV_ID, 600, opponent=["still", first_legal, first_legal, "greedy"])
    _, info = envs.reset(seed=0)
    counts = np.bincount(info["signals"]["opponent"].astype(int), minlength=4)
    # 150 expected of each, with a standard deviation of 10.6.
    assert np.abs(counts - 150).max() < 4 * 10.6
    drawn = []
    for i in range(40):
        env = gymnasium.make(ENV_ID, opponent=["still", first_legal, first_legal, "greedy"])
        drawn.append(env.reset(seed=i)[1]["signals"]["opponent"])
    assert drawn == info["signals"]["opponent"][:40].tolist()


def test_the_opponent_changes_no_level():
    levels = []
    for opponent in ("chaser", first_legal, ["random", first_legal]):
        env = gymnasium.make(ENV_ID, opponent=opponent)
        levels.append([env.reset(seed=seed)[0] for seed in (5, None, None)])
    assert repr(levels[0]) == repr(levels[1]) == repr(levels[2])


def test_each_of_a_pool_plays_its_own_way():
    def forbidden(observation, info):
        raise AssertionError("the rule's turn")

    env = gymnasium.make(ENV_ID, opponent=["chaser", forbidden])
    reference = gymnasium.make(ENV_ID, opponent="chaser")
    seeds = [seed for seed in range(20) if env.reset(seed=seed)[1]["signals"]["opponent"] == 0]
    assert 3 < len(seeds) < 17
    for seed in seeds[:3]:
        for one, other in zip(play(env, 15, seed), play(reference, 15, seed), strict=True):
            if one[2]:
                break
            assert one[4]["signals"] == other[4]["signals"]


# -------------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    "opponent, said",
    [
        ("chasr", r"opponent = 'chasr' is unknown: it is no policy's file\. Allowed: external, still"),
        (3, r"opponent = 3 cannot play\. Allowed are the name of a rule"),
        ([], r"a pool of 0: it must have from 1 to 64"),
        (["chaser"] * 65, r"a pool of 65"),
        (["chaser", "external"], r"can only be alone"),
    ],
)
def test_wrong_opponents_are_refused(opponent, said):
    with pytest.raises(ValueError, match=said):
        gymnasium.make(ENV_ID, opponent=opponent)


def test_a_policy_for_other_observations_is_refused(entities_policy):
    with pytest.raises(ValueError, match=r"cannot read this game's observations .*Pass the obs that it was trained"):
        gymnasium.make(ENV_ID, opponent=entities_policy, obs="ids")


@pytest.mark.parametrize("answer", [17, -1, 2.0, None, [1, 2]])
def test_a_wrong_answer_is_told(answer):
    env = gymnasium.make(ENV_ID, opponent=lambda observation, info: answer)
    _, info = env.reset(seed=0)
    with pytest.raises(ValueError, match="that many whole numbers from 0 to 16 are needed"):
        env.step(first_legal(None, info))


def test_copies_have_opponents_too():
    env = gymnasium.make(ENV_ID, opponent=Crowd()).unwrapped
    _, info = env.reset(seed=0)
    twin = copy.deepcopy(env)
    action = first_legal(None, info)
    assert repr(env.step(action)) == repr(twin.step(action))

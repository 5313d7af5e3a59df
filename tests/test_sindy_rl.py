"""SINDy-RL: the regression is pysindy's, it finds equations that are true, and a policy learns from few steps."""

from __future__ import annotations

import dataclasses
import html
import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gymnasium
import numpy as np
import pytest
import toys  # noqa: F401  (registers its environments)
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env
from resuming import whole_and_resumed

import rlx  # noqa: F401  (registers its environments)
from rlx.baselines.compare.files import write_json
from rlx.baselines.compare.job import run as run_job
from rlx.baselines.compare.manifest import content, make_settings, write_manifest
from rlx.baselines.compare.report import write_report
from rlx.baselines.compare.results import load_results
from rlx.baselines.compare.run import job_folder
from rlx.baselines.evaluation import evaluate
from rlx.baselines.learners import fill_args, learners_for, make_learner, misfits
from rlx.baselines.policy import load_policy
from rlx.baselines.sindy import (
    LIBRARIES,
    Library,
    PolynomialPolicy,
    SparseModel,
    affine,
    fit,
    numbered,
    polynomial,
    stlsq,
    uncrossed,
)
from rlx.baselines.sindy_rl import (
    SURROGATE,
    Args,
    SindyRL,
    World,
    believe_nothing,
    find_circles,
    find_rings,
    is_free,
    learn_world,
    make_libraries,
)
from rlx.baselines.sindy_table import first_step, median_steps
from rlx.baselines.swingup import CartPoleSwingUp

ORACLE = json.loads((Path(__file__).parent / "data" / "sindy_pysindy.json").read_text())
VARIABLES, TARGETS = np.array(ORACLE["variables"]), np.array(ORACLE["targets"])
REACH = "Toy/Reach-v0"
SMALL = {
    "warmup": 60,
    "collect": 40,
    "buffer_size": 150,
    "practice": 640,
    "surrogate_envs": 8,
    "surrogate_horizon": 10,
    "hidden_sizes": (16, 16),
    "batch_size": 16,
}


# The regression


def test_terms_are_those_of_pysindy():
    library = polynomial(3, 1, 3)
    assert library.names(numbered("x", 4)) == ["", *ORACLE["names"][1:]]
    assert np.allclose(library(VARIABLES[:5]), ORACLE["terms"], rtol=1e-12)
    names = affine(3, 1, 2).names(["x0", "x1", "x2", "u0"])
    assert names[0] == ""  # pysindy's has no constant
    assert sorted(names[1:]) == ORACLE["affine"]


def test_sizes_of_libraries():
    assert len(affine(5, 1, 2).powers) == 42  # the paper's cartpole has 41: it leaves the constant out
    terms = uncrossed(8, 2, 2).powers
    assert len(terms) == 3 * (1 + 2 * 8)
    assert max(sum(power > 0 for power in powers[:8]) for powers in terms) == 1


@pytest.mark.parametrize("make", LIBRARIES.values(), ids=LIBRARIES)
def test_terms_are_the_products_that_their_powers_say(make: Any):
    library, x = make(3, 2, 3), np.random.default_rng(1).normal(size=(4, 5))
    expected = [
        [np.prod(row**p) for p in np.array(library.powers)] + [abs(row[i] - row[j]) for i, j in library.pairs]
        for row in x
    ]
    assert np.allclose(library(x), expected)


@pytest.mark.parametrize("case", ORACLE["single"], ids=lambda case: f"{case['threshold']}-{case['alpha']}")
def test_coefficients_are_those_of_pysindy(case: dict[str, Any]):
    terms = polynomial(3, 1, 3)(VARIABLES)
    allowed = np.ones(terms.shape[1], np.bool_)
    ours = stlsq(terms.T @ terms, terms.T @ TARGETS, case["alpha"], case["threshold"], allowed)
    assert np.allclose(ours, case["coefficients"], rtol=1e-8, atol=1e-10)
    assert 0 < np.count_nonzero(ours) < ours.size  # some were struck out


class Drawn:
    """A generator that draws what pysindy drew."""

    def __init__(self, rows: Sequence[Any], dropped: Sequence[Any]) -> None:
        self.rows, self.dropped = iter(rows), iter(dropped)

    def integers(self, high: int, size: int) -> np.ndarray:
        return np.array(next(self.rows))

    def choice(self, high: int, size: int, replace: bool) -> np.ndarray:
        return np.array(next(self.dropped))


def test_the_median_of_an_ensemble_is_that_of_pysindy():
    case = ORACLE["ensemble"]
    drawn: Any = Drawn(case["rows"], case["dropped"])
    models = len(case["rows"])
    model = fit(polynomial(3, 1, 3), VARIABLES, TARGETS, case["ridge"], case["threshold"], drawn, models)
    assert np.allclose(model.coefficients, case["coefficients"], rtol=1e-8, atol=1e-10)


def test_units_do_not_matter():
    units, library = np.array([1e3, 1e-4, 7.0, 1.0]), polynomial(3, 1, 2)
    ours = fit(library, VARIABLES, TARGETS, 1e-6, 0.02, np.random.default_rng(0))
    theirs = fit(library, VARIABLES * units, 1e5 * TARGETS, 1e-6, 0.02, np.random.default_rng(0))
    assert np.allclose(theirs(VARIABLES * units), 1e5 * ours(VARIABLES))
    assert ours.size == theirs.size


def test_equations_read_as_sums():
    model = SparseModel(polynomial(1, 1, 2), np.array([[-0.5, 0.0], [0, 0], [2, 0], [0, 0], [-1, 0], [0, 0]]))
    assert model.equations(["i", "u"], ["y", "z"]) == ["y = -0.5 + 2 u - 1 i u", "z = 0"]
    assert model.size == 3


def test_the_equations_of_a_motor():
    """Its parameters, from 2 000 control periods with random voltages, to a thousandth."""
    load = {"type": "ornstein_uhlenbeck", "mean": 0.0, "sigma": 100.0, "theta": 20.0, "low": -300.0, "high": 300.0}
    env = gymnasium.make("rlx/ElectricMotorPmsmCurrent-v0", action_frame="dq", voltage_hold="dq", load=load)
    states, controls = ("omega", "i_sd", "i_sq"), ("u_sd", "u_sq")
    random, tau, rows = np.random.default_rng(0), 1e-4, []
    _, info = env.reset(seed=0)
    motor = {name.removeprefix("motor."): value for name, value in info["context"].items()}
    while len(rows) < 2_000:
        before = [info["signals"][name] for name in states]
        _, _, terminated, truncated, info = env.step(random.uniform(-1.0, 1.0, 2).astype(np.float32))
        rows.append([before, [info["signals"][name] for name in states], [info["signals"][name] for name in controls]])
        if terminated or truncated:
            _, info = env.reset()
    before, after = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    # Rates against states halfway: the error of that falls with the square of the period.
    variables = np.concatenate(((before + after) / 2, [row[2] for row in rows]), axis=1)
    model = fit(affine(3, 2, 2), variables, (after - before)[:, 1:] / tau, 1e-8, 0.003, random)
    found = dict(zip(model.library.names([*states, *controls]), model.coefficients, strict=True))
    r, l_d, l_q, psi, poles = motor["r_s"], motor["l_d"], motor["l_q"], motor["psi_p"], 3
    true = {
        "i_sd": (-r / l_d, 0),
        "i_sq": (0, -r / l_q),
        "u_sd": (1 / l_d, 0),
        "u_sq": (0, 1 / l_q),
        "omega i_sq": (poles * l_q / l_d, 0),
        "omega i_sd": (0, -poles * l_d / l_q),
        "omega": (0, -poles * psi / l_q),
    }
    for name, coefficients in found.items():
        assert np.allclose(coefficients, true.get(name, (0, 0)), rtol=1e-3, atol=0), name


# The surrogate


def slide(observation: np.ndarray, action: np.ndarray) -> np.ndarray:
    """Return where the points of a toy world go."""
    return observation + np.stack((0.1 * action[:, 0], -0.1 * observation[:, 1]), axis=1)


def sliding_world(limit: float = np.inf) -> World:
    """What is learned of a world whose first coordinate must not exceed ``limit``."""
    random = np.random.default_rng(0)
    before, action = random.uniform(-1.0, min(1.0, limit), (400, 2)), random.uniform(-1.0, 1.0, (400, 1))
    after = slide(before, action)
    goes_on = after[:, :1] <= limit
    reward = np.where(goes_on, 1.0 - 0.5 * before[:, :1] ** 2, -7.0)
    space = spaces.Box(-np.inf, np.inf, (2,), np.float64)
    world, args = believe_nothing(space, spaces.Box(-1.0, 1.0, (1,)), before), Args()
    return learn_world(world, make_libraries(2, 1, args), (before, action, reward, after, goes_on * 1.0), args, random)


def test_a_world_moves_and_pays_as_the_data_do():
    world = sliding_world()
    observation, action = np.array([[0.2, -0.4], [0.5, 0.1]]), np.array([[1.0], [-0.5]])
    after, reward, is_over = world.step(observation, action)
    assert np.allclose(after, slide(observation, action), atol=1e-6)
    assert np.allclose(reward, 1.0 - 0.5 * observation[:, 0] ** 2, atol=1e-6)
    assert not is_over.any() and not world.is_fatal.any()
    assert world.equations(["x", "y"], ["u"]) == ["x' - x = 0.1 u", "y' - y = -0.1 y", "reward = 1 - 0.5 x^2"]


def test_observations_stay_near_what_was_seen():
    world = sliding_world()
    after, reward, _ = world.step(np.array([[50.0, -50.0]]), np.zeros((1, 1)))
    assert np.allclose(np.abs(after), [[1.2, 1.2]], atol=0.15)
    assert reward == world.rewards[0]  # not the polynomial's -1249


def test_a_bound_is_fatal_where_it_was():
    world = sliding_world(limit=0.8)
    assert world.is_fatal.tolist() == [[False, False], [True, False]]
    assert 0.7 < world.high[0] <= 0.8
    _, reward, is_over = world.step(np.array([[0.79, 0.0], [0.5, 0.0], [-5.0, 0.0]]), np.ones((3, 1)))
    assert is_over.tolist() == [True, False, False]
    assert reward[0] == pytest.approx(-7.0)
    assert reward[1] == pytest.approx(1.0 - 0.5 * 0.25, abs=1e-3)


def test_a_reward_can_be_a_distance_from_a_reference():
    random, space = np.random.default_rng(0), spaces.Box(-np.inf, np.inf, (2,), np.float64)
    before, action = random.uniform(-1.0, 1.0, (400, 2)), random.uniform(-1.0, 1.0, (400, 1))
    after = slide(before, action)
    reward, lasts = 1.0 - 0.5 * np.abs(after[:, :1] - after[:, 1:]), np.ones((400, 1))
    args = Args(reward_library="distances", reward_degree=1, reward_after=True)
    world = believe_nothing(space, spaces.Box(-1.0, 1.0, (1,)), before)
    world = learn_world(world, make_libraries(2, 1, args), (before, action, reward, after, lasts), args, random)
    assert world.equations()[-1] == "reward = 1 - 0.5 |x0' - x1'|"
    assert np.allclose(world.step(before, action)[1], reward[:, 0], atol=1e-3)


def test_a_length_is_fatal_where_it_was():
    random = np.random.default_rng(0)
    observations = random.uniform(-1.0, 1.0, (3_000, 3))
    is_far = np.hypot(observations[:, 0], observations[:, 2]) > 0.9
    (one, other, radius), *others = find_rings(observations[~is_far], observations[is_far])
    assert (one, other) == (0, 2) and radius == pytest.approx(0.9, abs=0.01) and not others
    assert find_rings(observations[~is_far], observations[:0]) == ()
    world = dataclasses.replace(sliding_world(), rings=((0, 1, 0.9),))
    is_over = world.step(np.array([[0.8, 0.6], [0.8, 0.1]]), np.zeros((2, 1)))[2]
    assert is_over.tolist() == [True, False]


def test_circles_are_found_and_kept():
    angle, other = np.random.default_rng(0).uniform(-3.0, 3.0, (2, 50))
    observations = np.stack((other, np.cos(angle), np.ones(50), np.sin(angle)), axis=1)
    assert find_circles(observations) == ((1, 3),)
    world = dataclasses.replace(sliding_world(), circles=((0, 1),))
    after, *_ = world.step(np.array([[0.9, 0.3]]), np.ones((1, 1)))
    assert np.linalg.norm(after) == pytest.approx(1.0)
    library = polynomial(2, 0, 3).without([], [(0, 1)])
    assert library.names(["c", "s"]) == ["", "c", "s", "c^2", "c s", "c^3", "c^2 s"]
    assert np.linalg.matrix_rank(library(np.stack((np.cos(angle), np.sin(angle)), axis=1))) == 7


def test_terms_with_what_never_changes_are_left_out():
    names = polynomial(2, 1, 2).without([1], []).names(["x", "still", "u"])
    assert names == ["", "x", "u", "x^2", "x u", "u^2"]


def test_what_a_bound_holds_back_tells_nothing():
    space = spaces.Box(-1.0, 1.0, (2,))
    seen = np.array([[0.0, 1.0], [0.5, 1.0], [1.0, 1.0]])  # the second never changes
    assert is_free(seen, space).tolist() == [True, True, False]
    assert is_free(np.array([[1.0, 0.0], [1.0, 0.3], [0.2, 1.0], [0.2, 0.3]]), space).all()  # most are at bounds


def test_episodes_of_the_surrogate():
    envs = gymnasium.make_vec(SURROGATE, 5, world=sliding_world(limit=0.8), max_episode_steps=4)
    observation, _ = envs.reset(seed=3)
    assert np.array_equal(observation, envs.reset(seed=3)[0])
    length, ended = np.zeros(5, int), np.zeros(5, bool)
    ends = {"terminated": 0, "truncated": 0}
    for _ in range(40):
        before = observation
        observation, reward, terminated, truncated, _ = envs.step(np.ones((5, 1), np.float32))
        assert (reward[ended] == 0).all() and not (terminated | truncated)[ended].any()  # that step was the reset
        moved = ~ended & ~terminated
        assert np.allclose(observation[moved], slide(before, np.ones((5, 1)))[moved], atol=1e-3)
        length = np.where(ended, 0, length + 1)
        assert (length[truncated] == 4).all()
        assert (length[~(terminated | truncated)] < 4).all()
        assert not (terminated & truncated).any()
        ends["terminated"] += terminated.sum()
        ends["truncated"] += truncated.sum()
        ended = terminated | truncated
    assert min(ends.values()) > 0


# The run


@pytest.fixture(scope="module")
def swung() -> SindyRL:
    """A run on the pendulum with the tuned arguments, but for its length."""
    learner = SindyRL("Pendulum-v1", None, fill_args("sindy_rl", "Pendulum-v1", {"steps": 2_000}))
    learner.learn(2_000)
    return learner


def mean_return(policy: Any, env_id: str) -> float:
    return float(np.mean(evaluate(lambda env: policy, env_id, {}, 10).returns))


@pytest.mark.xdist_group("pendulum")  # which is learned once
def test_a_pendulum_swings_up_after_ten_episodes(swung: SindyRL):
    assert swung.step == 2_000 and swung.metrics["fits"] == 6
    assert mean_return(swung.policy, "Pendulum-v1") > -250  # random actions earn -1200


@pytest.mark.xdist_group("pendulum")  # which is learned once
def test_the_equation_of_the_pendulum_is_found(swung: SindyRL):
    """Gymnasium's step adds 3 g / (2 l) dt sin(theta) + 3 / (m l^2) dt u to the angular velocity."""
    line = swung.world.equations(["cos", "sin", "omega"])[2]
    assert line == "omega' - omega = 0.75 sin + 0.15 u0"
    assert swung.world.circles == ((0, 1),)


@pytest.mark.xdist_group("pendulum")  # which is learned once
def test_a_policy_becomes_polynomials(swung: SindyRL, tmp_path: Path):
    policy = swung.distil(4)
    assert mean_return(policy, "Pendulum-v1") > -250
    assert policy.model.size <= 27  # 25 monomials on the circle, and no more
    assert str(policy).startswith("u0 = ")
    policy.save(tmp_path / "policy.npz")
    loaded = load_policy(tmp_path)
    assert isinstance(loaded, PolynomialPolicy) and str(loaded) == str(policy)
    observations = np.random.default_rng(0).uniform(-1.0, 1.0, (6, 3)).astype(np.float32)
    assert np.array_equal(loaded.act(observations), policy.act(observations))
    assert np.array_equal(loaded.act(observations)[2], policy.act(observations[2]))
    assert loaded.act(observations).dtype == np.float32 and loaded.action_space == policy.action_space


def test_polynomials_stay_within_the_bounds():
    space = spaces.Box(np.array([-1.0, 0.0], np.float32), np.array([1.0, 2.0], np.float32))
    policy = PolynomialPolicy(SparseModel(Library(((0,), (1,))), np.array([[0.0, 1.0], [10.0, -10.0]])), (1,), space)
    assert policy.act([0.05]).tolist() == pytest.approx([0.5, 0.5])
    assert policy.act([[5.0], [-5.0]]).tolist() == [[1.0, 0.0], [-1.0, 2.0]]
    assert str(policy) == "u0 = 10 x0\nu1 = 1 - 10 x0"


def test_polynomials_are_not_exported(tmp_path: Path):
    pytest.importorskip("onnx")
    from rlx.baselines.export import export

    space = spaces.Box(-2.0, 2.0, (1,))
    PolynomialPolicy(SparseModel(polynomial(3, 0, 1), np.ones((4, 1))), (3,), space).save(tmp_path / "policy.npz")
    with pytest.raises(ValueError, match=r"Write them down instead:\nu0 = 1 \+ 1 x0 \+ 1 x1 \+ 1 x2"):
        export(tmp_path, tmp_path / "policy.onnx", env="Pendulum-v1")


def test_the_policy_is_distilled_where_asked_for():
    learner = SindyRL(REACH, None, Args(**SMALL, steps=200, policy_degree=2))
    assert not isinstance(learner.policy, PolynomialPolicy)  # nothing to distil in yet
    learner.learn(100)
    assert isinstance(learner.policy, PolynomialPolicy)


def same(ours: SindyRL, theirs: SindyRL) -> bool:
    pairs = zip(ours.agent.policy.layers, theirs.agent.policy.layers, strict=True)  # type: ignore[union-attr]
    equal = [np.array_equal(a, b) for layer in pairs for a, b in zip(*layer, strict=True)]
    return all(equal) and ours.world.equations() == theirs.world.equations()


def test_a_run_is_a_function_of_its_arguments():
    first, again, other = (SindyRL(REACH, None, Args(**SMALL, steps=200, seed=seed)) for seed in (0, 0, 1))
    for learner in (first, again, other):
        learner.learn(150)
    assert same(first, again) and not same(first, other)


@pytest.mark.parametrize("env_id", [REACH, "rlx/ElectricMotorPaper2019-v0"])  # without and with `save_state`
@pytest.mark.parametrize("step", [40, 130])  # before and after the first fit
def test_a_run_that_goes_on_is_one_that_was_never_stopped(env_id: str, step: int, tmp_path: Path):
    args = Args(**SMALL, steps=200, num_envs=2, degree=1)
    whole, resumed = whole_and_resumed(lambda: SindyRL(env_id, None, args), step, 200, tmp_path)
    assert resumed.step == step
    resumed.learn(200)
    assert same(whole, resumed) and whole.metrics == resumed.metrics
    assert np.array_equal(whole.observation, resumed.observation)


def test_random_actions_are_held():
    learner = SindyRL("Pendulum-v1", None, Args(**{**SMALL, "hold": 7}, steps=200))
    learner.learn(40)
    actions = learner._transitions()[1][:, 0]
    assert [len(set(actions[first : first + 7])) for first in range(0, 35, 7)] == [1] * 5
    assert len(set(actions)) == 6


def test_resets_are_not_remembered():
    learner = SindyRL("Toy/Clock-v0", None, Args(**{**SMALL, "warmup": 1_000}, steps=1_000))
    learner.learn(30)
    before, _, reward, after, goes_on = learner._transitions()
    assert np.array_equal(before[:, 0], after[:, 0])  # never from one episode into the next
    assert np.array_equal(after[:, 1], before[:, 1] + 1) and np.array_equal(reward[:, 0], after[:, 1])
    assert np.array_equal(goes_on[:, 0] == 0, (before[:, 0] % 2 == 0) & (after[:, 1] == 3))
    assert len(learner.buffer) == 30 - 6  # in 30 steps 6 are resets


def test_the_environments_can_change(tmp_path: Path):
    learner = SindyRL("Pendulum-v1", None, Args(**SMALL, steps=200))
    learner.learn(70)
    learner.change_envs({"g": 3.0})
    assert learner.envs.envs[0].unwrapped.g == 3.0  # type: ignore[attr-defined]
    learner.learn(80)
    assert learner.step == 80


# What is told of it


def test_a_comparison_shows_what_was_learned(tmp_path: Path):
    settings = make_settings(REACH, {}, ["sindy_rl", "random"], {"sindy_rl": SMALL}, [0], 100, 1, 2)
    for job in write_manifest(tmp_path, settings):
        folder = job_folder(tmp_path, job)
        folder.mkdir(parents=True)
        write_json(folder / "job.json", content(job))
        run_job(folder)
    results = load_results(tmp_path)
    text, picture = results.runs["sindy_rl"][0].model
    assert text.startswith("x0' - x0 = ") and "\nreward = " in text
    assert picture is not None and picture.read_bytes().startswith(b"\x89PNG")
    assert results.runs["random"][0].model == ("", None)
    page = write_report(results, tmp_path / "report").read_text()
    assert page.count("The model that sindy_rl learned (seed 0)") == 1 and "The model that random" not in page
    assert html.escape(text.strip()).replace("&#x27;", "&#39;") in page


def test_steps_to_a_threshold():
    def run(*returns: float) -> Any:
        return SimpleNamespace(curve=[{"step": 100 * k, "returns": [r, r]} for k, r in enumerate(returns)])

    assert first_step(run(0, 3, 5, 1), 3.0) == 100 and first_step(run(0, 1), 3.0) == np.inf
    assert median_steps([run(0, 1, 3)] * 3, 3.0) == "200 [200, 200], 3 of 3"
    assert median_steps([run(0, 3, 3), run(0, 1, 1), run(0, 1, 1)], 3.0) == "> 200 [100, > 200], 1 of 3"


def test_the_cart_is_that_of_gymnasium():
    ours, theirs = CartPoleSwingUp(), gymnasium.make("CartPole-v1").unwrapped
    theirs.kinematics_integrator = "semi-implicit euler"  # type: ignore[attr-defined]
    for push in (0, 1):
        ours.reset(seed=0), theirs.reset(seed=0)
        ours.state = np.array([0.3, 0.2, -0.4, 0.7])  # position, angle, speed, angular speed
        theirs.state = ours.state[[0, 2, 1, 3]]  # type: ignore[attr-defined]
        ours.step(np.array([2.0 * push - 1.0]))
        assert np.allclose(ours.state[[0, 2, 1, 3]], theirs.step(push)[0], atol=1e-6)


def test_swinging_up():
    env = gymnasium.make("rlx.baselines.swingup:CartPoleSwingUp-v0")
    check_env(env.unwrapped, skip_render_check=True)
    observation, _ = env.reset(seed=0)
    assert observation[1] < -0.99  # it hangs
    assert env.step(np.zeros(1, np.float32))[1] < 0.01
    env.unwrapped.state = np.zeros(4)  # type: ignore[attr-defined]
    assert env.step(np.zeros(1, np.float32))[1] == pytest.approx(1.0)
    env.unwrapped.state = np.array([2.39, 0.0, 3.0, 0.0])  # type: ignore[attr-defined]
    assert env.step(np.zeros(1, np.float32))[2]  # off the track


# What it does not do


def test_which_environments_suit():
    assert learners_for("Pendulum-v1", {}) == ["sindy_rl", "ppo", "ddpg"]  # those that are tuned for it first
    assert learners_for("rlx/ElectricMotorPaper2019-v0", {}) == ["ddpg", "ppo", "sindy_rl"]
    assert "sindy_rl" not in learners_for("CartPole-v1", {})
    assert misfits("rlx/Portfolio-v0", {})["sindy_rl"].endswith("With these actions it reads a Box.")


@pytest.mark.parametrize(
    ("env_id", "env_kwargs", "words"),
    [
        ("CartPole-v1", {}, r"needs a bounded Box of actions, but those of CartPole-v1 are Discrete\(2\)"),
        ("rlx/Portfolio-v0", {}, "needs a Box of observations, but those of rlx/Portfolio-v0 are Dict"),
    ],
)
def test_spaces_that_do_not_suit(env_id: str, env_kwargs: dict[str, Any], words: str):
    with pytest.raises(TypeError, match=words):
        make_learner("sindy_rl", env_id, env_kwargs, {})


def test_libraries_that_are_too_large():
    with pytest.raises(ValueError, match="degree = 2 makes 612 terms of 19 variables, but 500 are allowed"):
        SindyRL("rlx/ElectricMotorPmsmCurrent-v0", None, Args(degree=2))
    with pytest.raises(ValueError, match="policy_degree = 3 makes 969 terms of 16 variables"):
        SindyRL("rlx/ElectricMotorPmsmCurrent-v0", None, Args(policy_degree=3))


@pytest.mark.parametrize(
    ("states", "controls", "terms"),
    [(3, 1, (20, 15)), (16, 3, (17 * 4, 210)), (105, 8, (114, 114))],
    ids=["a pendulum", "a motor with three voltages", "an ant"],
)
def test_degrees_that_fit_by_default(states: int, controls: int, terms: tuple[int, int]):
    assert tuple(len(library.powers) for library in make_libraries(states, controls, Args())) == terms


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"library": "cubic"}, "library = 'cubic', but it must be affine or distances or polynomial or uncrossed"),
        ({"ridge": 0.0}, "ridge = 0.0, but it must be more than 0"),
        ({"collect": 0}, "collect = 0, but it must be at least 1"),
        ({"hold": 0}, "hold = 0, but it must be at least 1"),
        ({"gamma": 1.5}, "gamma = 1.5, but it must be"),
    ],
)
def test_arguments_that_are_refused(change: dict[str, Any], words: str):
    with pytest.raises(ValueError, match=f"sindy_rl: {words}"):
        Args(**change)

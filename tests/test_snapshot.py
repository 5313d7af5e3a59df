"""A saved state has the same future, whatever the environment; a teacher's snapshots are where episodes start."""

import functools
import itertools
import json
import pickle
import zipfile
from collections import deque

import ale_py
import gymnasium
import numpy as np
import pytest
import stable_baselines3
from gymnasium.envs.classic_control import CartPoleEnv
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers import (
    AtariPreprocessing,
    DelayObservation,
    FrameStackObservation,
    MaxAndSkipObservation,
    NormalizeObservation,
    NormalizeReward,
    RecordEpisodeStatistics,
    StickyAction,
    TimeAwareObservation,
    TransformObservation,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from processes import python
from sklearn.cluster import KMeans
from stable_baselines3.common.monitor import Monitor

import rlx
from rlx.baselines import ddpg, dqn
from rlx.wrappers import load_state, register_adapter, save_state
from rlx.wrappers.snapshot import (
    ArchiveReset,
    BackwardReset,
    SnapshotReset,
    Snapshots,
    SnapshotVectorReset,
    classify,
    collect_snapshots,
    read_snapshots,
)
from rlx.wrappers.states import Adapter, Attributes, StateError, probe
from rlx.wrappers.states.adapters import adapter_of
from rlx.wrappers.states.encoding import decode, encode, fingerprint
from rlx.wrappers.stl import STLMonitor, STLVectorMonitor

gymnasium.register_envs(ale_py)

MUJOCO = ("Ant HalfCheetah Hopper Humanoid HumanoidStandup InvertedDoublePendulum InvertedPendulum Pusher Reacher "
          "Swimmer Walker2d").split()  # fmt: skip
OTHERS = (
    "CartPole-v1", "Acrobot-v1", "MountainCar-v0", "MountainCarContinuous-v0", "Pendulum-v1", "Blackjack-v1",
    "FrozenLake-v1", "CliffWalking-v1", "Taxi-v4", "ALE/Breakout-v5", "rlx/ElectricMotor-v0", "rlx/MallocGame-v0",
    "rlx/STL-Rover-v0", "rlx/WebNavClickOption-v0",
)  # fmt: skip
RLX = ("rlx/ElectricMotor-v0", "rlx/MallocGame-v0", "rlx/STL-Rover-v0")


def walk(env, actions):
    """What comes of actions until the episode ends."""
    outcomes = []
    for action in actions:
        *outcome, _ = env.step(action)
        outcomes.append(fingerprint(outcome))
        if not hasattr(env, "num_envs") and (outcome[2] or outcome[3]):
            break
    return outcomes


def sampled(env, count, seed=0):
    env.action_space.seed(seed)
    return [env.action_space.sample() for _ in range(count)]


def assert_restores(env, other, before=7, after=60):
    """Both are made alike; the second, which was elsewhere, continues as the first does."""
    env.reset(seed=3)
    actions = sampled(env, before + after)
    assert len(walk(env, actions[:before])) == before
    state = pickle.loads(pickle.dumps(save_state(env)))
    expected = walk(env, actions[before:])
    other.reset(seed=99)
    walk(other, sampled(other, 5, seed=1))
    for _ in range(2):  # loading does not change the value
        load_state(other, state)
        assert walk(other, actions[before:]) == expected
    return state


# --- States of environments


@pytest.mark.parametrize("env_id", [f"{name}-v5" for name in MUJOCO])
def test_mujoco_continues_bit_for_bit(env_id):
    """Observations and rewards, the first one too, which reads positions that lag by a substep."""
    env, other = (gymnasium.make(env_id, disable_env_checker=True) for _ in range(2))
    assert_restores(env, other, before=3 if "Pendulum" in env_id else 7)


@pytest.mark.parametrize("env_id", OTHERS)
def test_environments_continue_bit_for_bit(env_id):
    env, other = gymnasium.make(env_id), gymnasium.make(env_id)
    short = 1 if env_id in ("Blackjack-v1", "FrozenLake-v1", "rlx/WebNavClickOption-v0") else 7
    for seed in itertools.count():
        env.reset(seed=3 + seed)
        if len(walk(env, sampled(env, short + 1))) > short:
            break
    env.reset(seed=3 + seed)
    actions = sampled(env, short + 60)
    walk(env, actions[:short])
    state = save_state(env)
    expected = walk(env, actions[short:])
    other.reset(seed=99)
    load_state(other, state)
    assert walk(other, actions[short:]) == expected


def test_a_state_continues_in_another_process(tmp_path):
    env = gymnasium.make("Hopper-v5")
    env.reset(seed=0)
    walk(env, sampled(env, 5))
    text, arrays = encode(save_state(env))
    np.savez(
        tmp_path / "state.npz",
        text=np.frombuffer(text.encode(), np.uint8),
        **{f"a{i}": a for i, a in enumerate(arrays)},
    )
    observation, reward, *_ = env.step(np.full(3, 0.5, np.float32))
    code = f"""
import gymnasium, numpy as np
from rlx.wrappers import load_state
from rlx.wrappers.states.adapters import adapter_of
from rlx.wrappers.states.encoding import decode
with np.load({str(tmp_path / "state.npz")!r}) as file:
    state = decode(file["text"].tobytes().decode(), [file[f"a{{i}}"] for i in range(len(file.files) - 1)])
env = gymnasium.make("Hopper-v5")
env.reset(seed=5)
load_state(env, state)
observation, reward, *_ = env.step(np.full(3, 0.5, np.float32))
print(observation.tobytes().hex(), repr(float(reward)))
"""
    assert python(code).stdout.split() == [observation.tobytes().hex(), repr(float(reward))]


def test_the_random_stream_can_be_kept():
    env = gymnasium.make("FrozenLake-v1", desc=["S" + "F" * 7] + ["F" * 8] * 6 + ["F" * 7 + "G"], is_slippery=True)
    env.reset(seed=0)
    state = save_state(env)
    paths = []
    for seed in (1, 2, 2):
        env.reset(seed=seed)
        load_state(env, state, random=False)
        paths.append(walk(env, [1] * 30))
    assert paths[0] != paths[1] == paths[2]
    load_state(env, state)
    first = walk(env, [1] * 30)
    load_state(env, state)
    assert walk(env, [1] * 30) == first


@pytest.mark.parametrize("env_id", ["rlx/MallocGame-v0", "ALE/Breakout-v5"])
def test_what_is_random_is_apart_in_every_adapter(env_id):
    """With its own stream kept, the state is another moment's, and the stream is not."""
    env = gymnasium.make(env_id)
    env.reset(seed=0)
    base = env.unwrapped
    adapter = adapter_of(base)
    env.reset(seed=1)
    walk(env, sampled(env, 5))
    state = save_state(env)
    env.reset(seed=2)
    before = fingerprint([base.np_random.bit_generator.state, adapter.random(base)]) if "rlx" in env_id else None
    load_state(env, state, random=False)
    if before is not None:
        assert fingerprint([base.np_random.bit_generator.state, adapter.random(base)]) == before
    first = walk(env, sampled(env, 40))
    load_state(env, state, random=False)
    second = walk(env, sampled(env, 40))
    assert len(first) == len(second)
    if "ALE" in env_id:  # sticky actions: another part of the stream
        assert first != second


def test_contexts_go_with_the_state():
    env, other = gymnasium.make("rlx/ElectricMotor-v0"), gymnasium.make("rlx/ElectricMotor-v0")
    name, space = next(iter(env.unwrapped.context_space.items()))
    env.reset(seed=0, options={"context": {name: float(space.high)}})
    actions = sampled(env, 30)
    state = save_state(env)
    text, arrays = encode(state)
    expected = walk(env, actions)
    other.reset(seed=1)
    load_state(other, decode(text, arrays))
    assert other.unwrapped.parameters.context()[name] == float(space.high)
    assert walk(other, actions) == expected


def test_other_arguments_are_refused():
    env = gymnasium.make("rlx/STL-Rover-v0")
    env.reset(seed=0)
    state = save_state(env)
    with pytest.raises((TypeError, StateError)):
        load_state(gymnasium.make("rlx/STL-Arm-v0"), state)
    with pytest.raises(StateError, match="numbers of state"):
        hopper, walker = gymnasium.make("Hopper-v5"), gymnasium.make("Walker2d-v5")
        hopper.reset(seed=0)
        walker.reset(seed=0)
        state = save_state(hopper)
        state["layers"][-1]["layer"] = save_state(walker)["layers"][-1]["layer"]
        load_state(walker, state)
    with pytest.raises(TypeError, match="what save_state returned"):
        load_state(env, {"states": 3})
    with pytest.raises(StateError, match="OrderEnforcing > .*Wrap it in the same way"):
        load_state(env.unwrapped, save_state(env))


# --- Wrappers


WRAPPED = {
    "monitor": lambda: STLMonitor(gymnasium.make("CartPole-v1"), "F[0,20] x > 0 and H[0,3] x < 2", signals={"x": 0}),
    "frames": lambda: FrameStackObservation(gymnasium.make("Pendulum-v1"), 3),
    "padded": lambda: FrameStackObservation(gymnasium.make("Pendulum-v1"), 12, padding_type="reset"),
    "delay": lambda: DelayObservation(gymnasium.make("Pendulum-v1"), 3),
    "time": lambda: TimeAwareObservation(gymnasium.make("Pendulum-v1")),
    "sticky": lambda: StickyAction(gymnasium.make("Pendulum-v1"), 0.5, (2, 4)),
    "normal": lambda: NormalizeReward(NormalizeObservation(gymnasium.make("Pendulum-v1"))),
    "statistics": lambda: RecordEpisodeStatistics(gymnasium.make("Pendulum-v1")),
    "sb3": lambda: Monitor(gymnasium.make("Pendulum-v1")),
    "skips": lambda: MaxAndSkipObservation(gymnasium.make("Pendulum-v1"), 3),
    "atari": lambda: AtariPreprocessing(gymnasium.make("ALE/Pong-v5", frameskip=1), noop_max=5),
    "snapshots": lambda: SnapshotReset(gymnasium.make("Pendulum-v1"), taught("Pendulum-v1"), classes=2, horizon=30),
}  # fmt: skip


@pytest.mark.parametrize("name", WRAPPED)
def test_counters_of_wrappers_are_restored(name):
    if name == "atari":
        pytest.importorskip("cv2", reason="Gymnasium's AtariPreprocessing needs it")
    state = assert_restores(WRAPPED[name](), WRAPPED[name](), before=4)
    text, arrays = encode(state)
    assert fingerprint([decode(text, arrays)]) == fingerprint([state])


def test_time_limits_go_on_from_the_state():
    env = gymnasium.make("Pendulum-v1", max_episode_steps=10)
    env.reset(seed=0)
    walk(env, sampled(env, 7))
    state = save_state(env)
    env.reset()
    load_state(env, state)
    assert len(walk(env, sampled(env, 10))) == 3


def test_statistics_are_not_restored():
    env = RecordEpisodeStatistics(gymnasium.make("Pendulum-v1", max_episode_steps=10))
    env.reset(seed=0)
    walk(env, sampled(env, 4))
    state = save_state(env)
    env.reset(seed=0)
    load_state(env, state)
    for _ in range(6):
        *_, info = env.step(env.action_space.sample())
    assert info["episode"]["l"] == 6


@pytest.mark.parametrize("env_id", ["rlx/ElectricMotor-v0", "Pendulum-v1"])
def test_vector_environments(env_id):
    def make():
        envs = gymnasium.make_vec(env_id, 3, max_episode_steps=5)
        return STLVectorMonitor(envs, "F[0,2] x > 0", signals={"x": 0}, reward="change")

    assert_restores(make(), make(), after=20)


def test_other_processes_are_out_of_reach():
    envs = gymnasium.make_vec("CartPole-v1", 1, vectorization_mode="async")
    with pytest.raises(StateError, match="other processes"):
        save_state(envs)
    envs.close()


# --- Environments that nobody knows


class Counter(gymnasium.Env):
    """Counts; its state is where ``keeps`` says."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (1,), np.float64)
    action_space = gymnasium.spaces.Discrete(3)

    def __init__(self):
        self.box, self.dice = [0], np.random.default_rng(0)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.box, self.dice = [0], np.random.default_rng(seed)
        return np.array([0.0]), {}

    def step(self, action):
        self.box[0] += int(action) + self.dice.integers(5) + self.np_random.integers(3)
        return np.array([float(self.box[0])]), 0.0, False, False, {}


class Closed(Counter):
    """Its state is in a generator, which cannot be copied."""

    def reset(self, *, seed=None, options=None):
        self.steps = (float(i) for i in range(100))
        return np.array([0.0]), {}

    def step(self, action):
        return np.array([next(self.steps)]), 0.0, False, False, {}


class Pretender:
    """Says that it is a copy, and begins anew."""

    def __init__(self):
        self.count = 0

    def __deepcopy__(self, memo):
        return Pretender()


class Lost(Counter):
    """Like MuJoCo's under `copy.deepcopy`: its state is rebuilt, not copied."""

    def reset(self, *, seed=None, options=None):
        self.engine = Pretender()
        return np.array([0.0]), {}

    def step(self, action):
        self.engine.count += 1
        return np.array([float(self.engine.count)]), 0.0, False, False, {}


class Tired(gymnasium.Wrapper):
    """Truncates after a number of steps; nobody knows it."""

    def __init__(self, env):
        super().__init__(env)
        self.steps = 0

    def reset(self, **kwargs):
        self.steps = 0
        return super().reset(**kwargs)

    def step(self, action):
        self.steps += 1
        *outcome, info = super().step(action)
        return *outcome[:3], self.steps >= 9, info


class Swaying(CartPoleEnv):
    """A pole whose cart is pushed by a wind of its own, beside the state that is known of the base."""

    wind = 0.0

    def step(self, action):
        self.wind += 0.001
        self.state = tuple(np.asarray(self.state) + [0.0, self.wind, 0.0, 0.0])
        return super().step(action)


gymnasium.register("Counter-v0", Counter)
gymnasium.register("Closed-v0", Closed)
gymnasium.register("Lost-v0", Lost)
gymnasium.register("Swaying-v0", Swaying)


def test_unknown_environments_are_copied_whole():
    assert_restores(gymnasium.make("Counter-v0"), gymnasium.make("Counter-v0"))
    env = Counter()
    env.reset(seed=0)
    with pytest.raises(StateError, match="probe"):  # there is no second one to try it out
        save_state(type("Another", (Counter,), {})())


@pytest.mark.parametrize(
    ("env_id", "message"),
    [("Closed-v0", "'steps'.*generator.*register_adapter"), ("Lost-v0", "does not continue"), ("Swaying-v0", "wind")],
)
def test_states_that_would_be_lost_are_refused(env_id, message):
    env = gymnasium.make(env_id)
    env.reset(seed=0)
    with pytest.raises(StateError, match=message):
        save_state(env)


def test_unknown_wrappers_are_copied_too():
    env, other = (Tired(gymnasium.make("CartPole-v1")) for _ in range(2))
    probe(env)
    state = assert_restores(env, other, before=4)
    assert state["layers"][0]["state"]["attributes"]["steps"] == 4


def test_a_wrapper_with_a_hidden_memory_is_refused():
    seen = []

    def drift(observation):
        seen.append(0)
        return observation + len(seen)

    env = TransformObservation(gymnasium.make("Pendulum-v1"), drift, None)
    with pytest.raises(StateError, match="does not continue"):
        probe(env)


@pytest.mark.parametrize("env_id", ["LunarLander-v3", "BipedalWalker-v3"])
def test_box2d_is_refused(env_id):
    env = gymnasium.make(env_id)
    env.reset(seed=0)
    with pytest.raises(StateError, match="Box2D does not tell"):
        save_state(env)
    with pytest.raises(StateError, match="Box2D does not tell"):
        ArchiveReset(env, lambda observation, info: 0)


def test_an_adapter_is_one_decorator():
    @register_adapter(f"{Swaying.__module__}.Gusty")
    class Wind(Attributes):
        def __init__(self):
            super().__init__("state", "steps_beyond_terminated", "wind")

    gusty = type("Gusty", (Swaying,), {"__module__": Swaying.__module__, "__qualname__": "Gusty"})
    gymnasium.register("Gusty-v0", gusty)
    assert issubclass(Wind, Adapter)
    probe(gymnasium.make("Gusty-v0"))
    assert_restores(gymnasium.make("Gusty-v0"), gymnasium.make("Gusty-v0"), before=3)


# --- Encoding


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.just(np.float32(0.1))
    | st.lists(st.floats(width=32), max_size=3).map(lambda values: np.array(values, np.float32)),
    lambda inner: st.lists(inner, max_size=3) | st.lists(inner, max_size=3).map(tuple)
    | st.lists(inner, max_size=3).map(lambda values: deque(values, 4))
    | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3),
)  # fmt: skip


@given(plain)
@settings(max_examples=150, deadline=None)
def test_plain_values_are_read_back(value):
    text, arrays = encode(value)
    again = decode(text, arrays)
    assert fingerprint([again]) == fingerprint([value])
    assert type(again) is type(value)


def test_a_generator_is_read_back():
    generator = np.random.Generator(np.random.Philox(3))
    again = decode(*encode({"here": generator}))["here"]
    assert again.random() == generator.random()


@pytest.mark.parametrize("value", [{"a": [object()]}, np.array([None]), print, {"a": (1, {2})}])
def test_other_values_are_refused(value):
    with pytest.raises(StateError, match="without pickle"):
        encode(value)


# --- Snapshots


@functools.cache
def taught(env_id, **kwargs):
    horizon = gymnasium.spec(env_id).max_episode_steps
    env = gymnasium.make(env_id, max_episode_steps=horizon and min(horizon, 200))
    env.action_space.seed(0)
    return collect_snapshots(env, lambda _: env.action_space.sample(), episodes=3, every=5, **kwargs)


def test_a_file_holds_what_was_collected(tmp_path):
    for env_id in ("Pendulum-v1", *RLX):
        snapshots = taught(env_id)
        snapshots.save(tmp_path / "file.npz")
        again = read_snapshots(tmp_path / "file.npz")
        assert len(again) == len(snapshots) and again.provenance == snapshots.provenance
        for one, other in zip(snapshots.moments, again.moments, strict=True):
            assert fingerprint([one.observation, one.info, one.value]) == fingerprint(
                [other.observation, other.info, other.value]
            )
        env = gymnasium.make(env_id)
        env.reset(seed=1)
        actions, outcomes = sampled(env, 20), []
        for moments in (snapshots.moments, again.moments):
            load_state(env, moments[1].state)
            outcomes.append(walk(env, actions))
        assert outcomes[0] == outcomes[1]


def test_a_thousand_snapshots_are_a_small_file(tmp_path):
    env = gymnasium.make("Humanoid-v5")
    env.action_space.seed(0)
    snapshots = collect_snapshots(env, lambda _: env.action_space.sample(), episodes=50, every=1)
    Snapshots(snapshots.moments[:1000], snapshots.provenance).save(tmp_path / "file.npz")
    assert len(snapshots) >= 1000
    assert (tmp_path / "file.npz").stat().st_size < 5e6


def test_the_teacher_is_counted_and_named():
    snapshots = taught("Pendulum-v1")
    told = snapshots.provenance
    assert told["steps"] == sum(told["lengths"]) == 600 and len(snapshots) == 3 * 40
    assert told["env_id"] == "Pendulum-v1" and told["versions"]["gymnasium"] == gymnasium.__version__
    env = SnapshotReset(gymnasium.make("Pendulum-v1"), snapshots)
    env.reset(seed=0)
    walk(env, sampled(env, 7))
    assert env.samples == {"student": 7, "teacher": 600, "total": 607}


def test_values_are_the_critics_or_the_rewards_that_followed():
    by_critic = taught("Pendulum-v1", value=lambda observation: observation[0])
    assert all(moment.value == moment.observation[0] for moment in by_critic.moments)
    moments = [moment for moment in taught("Pendulum-v1", gamma=0.5).moments if moment.episode == 1]
    assert moments[0].reward_to_go == pytest.approx(taught("Pendulum-v1").provenance["returns"][1])
    env = gymnasium.make("Pendulum-v1")
    env.reset(seed=0)
    assert moments[-1].step == 195 and moments[-1].value > moments[-1].reward_to_go


def damaged(kind, content):
    if kind == "cut":
        return content[: len(content) // 2]
    return {"empty": b"", "text": b"not a file", "pickle": pickle.dumps({"a": 1})}[kind]


@pytest.mark.parametrize("kind", ["cut", "empty", "text", "pickle"])
def test_damaged_files_are_refused(kind, tmp_path):
    path = tmp_path / "file.npz"
    taught("Pendulum-v1").save(path)
    path.write_bytes(damaged(kind, path.read_bytes()))
    with pytest.raises(ValueError, match="no file of snapshots"):
        read_snapshots(path)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"format": "other"}, "format is 'other'"),
        ({"version": 99}, "version is 99.*update rlx"),
        ({"format": None}, "None"),
    ],
)
def test_foreign_files_are_refused(header, message, tmp_path):
    path = tmp_path / "file.npz"
    taught("Pendulum-v1").save(path)
    with np.load(path) as file:
        parts = dict(file)
    told = json.loads(parts["header"].tobytes()) | header
    parts["header"] = np.frombuffer(json.dumps(told).encode(), np.uint8)
    np.savez(path, **parts)
    with pytest.raises(ValueError, match=message):
        read_snapshots(path)


def test_no_code_in_a_file_is_run(tmp_path):
    """An array of objects in the place of an array: unpickling it would create a file."""

    class Trap:
        def __reduce__(self):
            return open, (str(tmp_path / "sprung"), "w")

    path = tmp_path / "file.npz"
    taught("Pendulum-v1").save(path)
    with np.load(path) as file:
        parts = dict(file)
    parts["array_0"] = np.array([Trap()] * len(parts["array_0"]), object)
    np.savez(path, **parts)
    assert zipfile.is_zipfile(path)
    with pytest.raises(ValueError, match="no file of snapshots"):
        read_snapshots(path)
    assert not (tmp_path / "sprung").exists()


def test_what_is_not_plain_stays_in_memory(tmp_path):
    env = gymnasium.make("rlx/WebNavClickOption-v0")
    expert = rlx.make_expert(env, "random")
    snapshots = collect_snapshots(env, expert, episodes=2, every=1)
    with pytest.raises(StateError, match="without pickle"):
        snapshots.save(tmp_path / "file.npz")
    student = SnapshotReset(env, snapshots, classes=None)
    student.reset(seed=0)
    student.step(student.action_space.sample())


def test_other_environments_are_refused():
    snapshots = taught("Pendulum-v1")
    with pytest.raises(ValueError, match="another environment: its env_id is Pendulum-v1, not CartPole-v1"):
        SnapshotReset(gymnasium.make("CartPole-v1"), snapshots)
    with pytest.raises(ValueError, match="env_kwargs"):
        SnapshotReset(gymnasium.make("Pendulum-v1", g=3.0), snapshots)
    with pytest.raises(StateError, match="Wrap it in the same way"):
        SnapshotReset(gymnasium.make("Pendulum-v1", max_episode_steps=-1), snapshots)
    with pytest.raises(ValueError, match="put it outside"):
        SnapshotReset(NormalizeReward(gymnasium.make("Pendulum-v1")), snapshots)
    for wrong in ({"classes": 0}, {"horizon": 0}, {"steps": -1}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            SnapshotReset(gymnasium.make("Pendulum-v1"), snapshots, **wrong)


# --- Classes


@given(st.lists(st.integers(-20, 20), min_size=1, max_size=9), st.integers(1, 5))
@settings(max_examples=100, deadline=None)
def test_classes_are_the_best_there_are(numbers, classes):
    """Against all ways to cut the sorted values."""
    values = np.array(numbers, float)
    labels = classify(values, classes)
    points = np.unique(values)
    assert set(labels) == set(range(min(classes, len(points))))
    assert (np.diff(labels[np.argsort(values, kind="stable")]) >= 0).all()

    def cost(groups):
        return sum(float(((values[group] - values[group].mean()) ** 2).sum()) for group in groups)

    ways = itertools.combinations(points[1:], min(classes, len(points)) - 1)
    best = min(cost([np.searchsorted(cuts, values, side="right") == k for k in range(len(cuts) + 1)]) for cuts in ways)
    assert cost([labels == k for k in range(labels.max() + 1)]) == pytest.approx(best, abs=1e-9)


def test_classes_are_no_worse_than_those_of_sklearn():
    values = np.random.default_rng(0).gamma(2.0, 100.0, 1000) + 1e6
    labels = classify(values, 6)
    own = sum(((values[labels == k] - values[labels == k].mean()) ** 2).sum() for k in range(6))
    assert own <= KMeans(6, random_state=0, n_init=10).fit(values[:, None]).inertia_ * (1 + 1e-9)


def test_values_that_are_not_finite_have_no_class():
    with pytest.raises(ValueError, match="not finite"):
        classify(np.array([0.0, np.nan]), 2)


# --- Resets


@pytest.mark.parametrize("env_id", ["CartPole-v1", "Hopper-v5", "rlx/ElectricMotor-v0", "rlx/MallocGame-v0"])
def test_it_is_an_environment(env_id):
    check_env(SnapshotReset(gymnasium.make(env_id), taught(env_id)).unwrapped, skip_render_check=True)
    env = SnapshotReset(gymnasium.make(env_id), taught(env_id))
    first, second = ([env.reset(seed=seed) for seed in (1, 2, 3)] for _ in range(2))
    assert fingerprint(first) == fingerprint(second)
    assert len({fingerprint([one]) for one in first}) > 1
    assert all(env.observation_space.contains(observation) for observation, _ in first)


def test_an_episode_starts_as_the_teacher_saw_it_and_not_as_he_went_on():
    """The observation and info are the teacher's; what is random is the student's."""
    env = gymnasium.make("FrozenLake-v1", map_name="8x8")
    env.action_space.seed(0)
    snapshots = collect_snapshots(env, lambda _: env.action_space.sample(), episodes=3, every=1)
    env = SnapshotReset(gymnasium.make("FrozenLake-v1", map_name="8x8"), snapshots, classes=None, horizon=None)
    seen = {fingerprint([moment.observation, moment.info]) for moment in snapshots.moments}
    starts = [env.reset(seed=seed) for seed in range(20)]
    assert all(fingerprint(list(start)) in seen for start in starts)
    moment = Snapshots(snapshots.moments[:1], snapshots.provenance)
    env = SnapshotReset(gymnasium.make("FrozenLake-v1", map_name="8x8"), moment, classes=None)
    ways = []
    for seed in range(5):
        env.reset(seed=seed)
        ways.append(tuple(walk(env, [2, 1] * 5)))
    assert len(set(ways)) > 1


def test_what_was_handed_out_can_be_changed():
    snapshots = Snapshots(taught("Pendulum-v1").moments[:1], taught("Pendulum-v1").provenance)
    env = SnapshotReset(gymnasium.make("Pendulum-v1"), snapshots)
    observation, info = env.reset(seed=0)
    before = observation.copy()
    observation[:] = 9.0
    info["mine"] = 1
    assert np.array_equal(env.reset()[0], before) and "mine" not in env.reset()[1]


def test_truncation_counts_from_the_restored_state():
    env = SnapshotReset(gymnasium.make("Pendulum-v1"), taught("Pendulum-v1"), classes=None, horizon=13)
    lengths = set()
    for seed in range(20):
        env.reset(seed=seed)
        elapsed = env.env._elapsed_steps
        *_, terminated, truncated, _ = [env.step(np.zeros(1, np.float32)) for _ in range(min(13, 200 - elapsed))][-1]
        assert truncated and not terminated
        lengths.add(elapsed)
    assert len(lengths) > 3
    env = SnapshotReset(gymnasium.make("Pendulum-v1"), taught("Pendulum-v1"), horizon=None)
    env.reset(seed=0)
    left = 200 - env.env._elapsed_steps
    assert len(walk(env, sampled(env, 300))) == left


def test_classes_are_drawn_alike():
    """One snapshot of a high value among many of a low one: with classes, every second start."""
    moments = taught("Pendulum-v1").moments[:21]
    moments = tuple(type(m)(m.state, m.observation, m.info, float(i == 20), 0, i, 0.0) for i, m in enumerate(moments))
    snapshots = Snapshots(moments, taught("Pendulum-v1").provenance)
    shares = []
    for classes in (2, None):
        env = SnapshotReset(gymnasium.make("Pendulum-v1"), snapshots, classes=classes)
        env.reset(seed=0)
        shares.append(np.mean([np.array_equal(env.reset()[0], moments[20].observation) for _ in range(400)]))
    assert shares[0] == pytest.approx(0.5, abs=0.08) and shares[1] == pytest.approx(1 / 21, abs=0.04)


def test_the_phase_ends():
    env = SnapshotReset(gymnasium.make("Pendulum-v1"), taught("Pendulum-v1"), classes=None, steps=20, horizon=10)
    env.reset(seed=0)
    assert len(walk(env, sampled(env, 50))) == 10
    env.reset()
    assert len(walk(env, sampled(env, 50))) <= 10
    env.step(np.zeros(1, np.float32))
    plain = gymnasium.make("Pendulum-v1")
    assert np.array_equal(env.reset(seed=5)[0], plain.reset(seed=5)[0])
    assert len(walk(env, sampled(env, 300))) == 200


def test_options_start_plain_episodes():
    env = SnapshotReset(gymnasium.make("rlx/ElectricMotor-v0"), taught("rlx/ElectricMotor-v0"))
    name, space = next(iter(env.unwrapped.context_space.items()))
    options = {"context": {name: float(space.high)}}
    observation, info = env.reset(seed=0, options=options)
    plain, _ = gymnasium.make("rlx/ElectricMotor-v0").reset(seed=0, options=options)
    assert info["context"][name] == float(space.high)
    assert fingerprint([observation]) == fingerprint([plain])


def test_statistics_are_the_students_alone():
    for wrap in (lambda env: RecordEpisodeStatistics(env), Monitor):
        env = wrap(SnapshotReset(gymnasium.make("Pendulum-v1"), taught("Pendulum-v1"), horizon=5))
        env.reset(seed=0)
        for _ in range(5):
            *_, info = env.step(np.zeros(1, np.float32))
        assert info["episode"]["l"] == 5
    inside = RecordEpisodeStatistics(gymnasium.make("Pendulum-v1"))
    env = SnapshotReset(inside, taught("Pendulum-v1"), classes=None, horizon=None)
    env.reset(seed=2)
    length = len(walk(env, sampled(env, 300)))
    assert inside.length_queue[-1] == length < 200


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.DISABLED])
@pytest.mark.parametrize("env_id", RLX)
def test_rows_start_from_snapshots(env_id, mode):
    snapshots = taught(env_id)
    starts = {fingerprint([moment.observation]) for moment in snapshots.moments}

    def row(observations, i):
        one = (
            {key: value[i] for key, value in observations.items()}
            if isinstance(observations, dict)
            else observations[i]
        )
        return fingerprint([{key: np.array(v) for key, v in one.items()} if isinstance(one, dict) else np.array(one)])

    envs = gymnasium.make_vec(env_id, 3, autoreset_mode=mode)
    envs = SnapshotVectorReset(envs, snapshots, classes=None, horizon=4)
    observations, _ = envs.reset(seed=0)
    assert all(row(observations, i) in starts for i in range(3))
    envs.action_space.seed(0)
    ended, length = np.zeros(3, bool), np.zeros(3, int)
    for t in range(30):
        if mode == AutoresetMode.DISABLED and ended.any():
            observations, _ = envs.reset(options={"reset_mask": ended})
            assert all(row(observations, i) in starts for i in np.flatnonzero(ended))
            length[ended], ended = 0, np.zeros(3, bool)
        observations, rewards, terminated, truncated, _ = envs.step(envs.action_space.sample())
        assert all(row(observations, i) in starts and rewards[i] == 0.0 for i in np.flatnonzero(ended))
        length = np.where(ended, 0, length + 1)
        ended = terminated | truncated
        assert (length <= 4).all() and ended[length == 4].all()
        assert t < 4 or length.min() < 5
    assert envs.samples["student"] <= 90


def test_a_row_goes_on_as_the_single_environment():
    """From the same snapshot, under the same actions, where nothing is random after the start."""
    env_id = "rlx/STL-Rover-v0"
    snapshots = Snapshots(taught(env_id).moments[1:2], taught(env_id).provenance)
    envs = SnapshotVectorReset(gymnasium.make_vec(env_id, 2), snapshots, classes=None, horizon=None)
    env = SnapshotReset(gymnasium.make(env_id), snapshots, classes=None, horizon=None)
    observations, _ = envs.reset(seed=0)
    observation, _ = env.reset(seed=0)
    for action in sampled(env, 4):
        observations, rewards, terminated, truncated, _ = envs.step(np.stack([action, action]))
        observation, reward, *ends, _ = env.step(action)
        assert np.array_equal(observations[1], observation) and rewards[1] == reward
        assert [terminated[1], truncated[1]] == ends


def test_a_row_takes_over_the_context_of_a_state():
    env_id = "rlx/STL-Rover-v0"
    env = gymnasium.make(env_id).unwrapped
    name, space = next(iter(env.context_space.items()))
    for value in np.linspace(space.low.item(), space.high.item(), 5)[1:-1]:  # one at least is not the default
        envs, others = gymnasium.make_vec(env_id, 2), gymnasium.make_vec(env_id, 2)
        envs.reset(seed=0)
        others.reset(seed=0)
        env.reset(seed=5, options={"context": {name: value}})
        envs.load_row(1, env.save_state(), 1)
        for action in sampled(env, 4):
            observations, *_ = envs.step(np.stack([action, action]))
            assert np.array_equal(observations[0], others.step(np.stack([action, action]))[0][0])
            assert np.array_equal(observations[1], env.step(action)[0])
        assert envs.save_state().parameters[1] == env.parameters
        assert envs.save_state().bookkeeping["elapsed"].tolist() == [4, 5]
    with pytest.raises(TypeError, match="single environment of this family"):
        envs.load_row(0, others.save_state(), 0)


def test_rows_keep_their_state_in_a_checkpoint():
    def make():
        envs = gymnasium.make_vec("rlx/ElectricMotor-v0", 2)
        return SnapshotVectorReset(envs, taught("rlx/ElectricMotor-v0"), horizon=6)

    envs, others = make(), make()
    envs.reset(seed=0)
    actions = sampled(envs, 30)
    walk(envs, actions[:9])
    state = envs.save_state()
    expected = walk(envs, actions[9:])
    others.reset(seed=4)
    others.load_state(state)
    assert walk(others, actions[9:]) == expected and others.samples == envs.samples


def test_vector_environments_of_gymnasium_take_the_single_one():
    with pytest.raises(TypeError, match="vectorization_mode"):
        SnapshotVectorReset(gymnasium.make_vec("Pendulum-v1", 2), taught("Pendulum-v1"))
    with pytest.raises(ValueError, match="SAME_STEP"):
        envs = gymnasium.make_vec("rlx/ElectricMotor-v0", 2, autoreset_mode=AutoresetMode.SAME_STEP)
        SnapshotVectorReset(envs, taught("rlx/ElectricMotor-v0"))
    wrapper = functools.partial(SnapshotReset, snapshots=taught("Pendulum-v1"), horizon=5)
    for mode in AutoresetMode:
        envs = gymnasium.make_vec("Pendulum-v1", 2, vectorization_mode="sync", wrappers=[wrapper],
                                  vector_kwargs={"autoreset_mode": mode})  # fmt: skip
        envs.reset(seed=0)
        ends = [envs.step(envs.action_space.sample())[3] for _ in range(5)]
        assert ends[-1].all()


# --- Learners, as they are


@pytest.mark.parametrize("algo", ["TD3", "SAC", "PPO"])
def test_stable_baselines3_learns_from_snapshots(algo):
    env = SnapshotReset(gymnasium.make("Pendulum-v1"), taught("Pendulum-v1"), horizon=20, steps=60)
    kwargs = {"n_steps": 64, "batch_size": 64} if algo == "PPO" else {"learning_starts": 32, "batch_size": 16}
    model = getattr(stable_baselines3, algo)("MlpPolicy", env, seed=0, policy_kwargs={"net_arch": [16]}, **kwargs)
    model.learn(128)
    assert env.samples["student"] >= 128
    env = gymnasium.make("Pendulum-v1", max_episode_steps=20)
    assert len(collect_snapshots(env, model, episodes=1)) == 2  # and teaches


def make_pendulum(**kwargs):
    return SnapshotReset(gymnasium.make("Pendulum-v1").unwrapped, taught_bare(), horizon=20)


@functools.cache
def taught_bare():
    env = gymnasium.wrappers.TimeLimit(gymnasium.make("Pendulum-v1").unwrapped, 100)
    snapshots = collect_snapshots(env, lambda observation: np.zeros(1, np.float32), episodes=2)
    bare = [type(m)({"layers": m.state["layers"][1:]}, *[getattr(m, f) for f in ("observation", "info", "value",
            "episode", "step", "reward_to_go")]) for m in snapshots.moments]  # fmt: skip
    return Snapshots(tuple(bare), snapshots.provenance)


def make_motors(num_envs, **kwargs):
    return SnapshotVectorReset(
        gymnasium.make_vec("rlx/MallocGame-v0", num_envs), taught("rlx/MallocGame-v0"), horizon=20
    )


def test_ddpg_learns_from_snapshots():
    gymnasium.register("SnapshotPendulum-v0", make_pendulum)
    learner = ddpg.DDPG("SnapshotPendulum-v0", {}, ddpg.Args(steps=200, warmup=50, batch_size=16, hidden_sizes=(16,)))
    learner.learn(200)
    assert learner.updates > 0
    assert learner.envs.envs[0].get_wrapper_attr("samples")["student"] > 150


def test_dqn_learns_from_snapshots(tmp_path):
    gymnasium.register("SnapshotMalloc-v0", vector_entry_point=make_motors)
    args = dqn.Args(steps=200, num_envs=2, warmup=50, batch_size=16, hidden_sizes=(16,))
    learner = dqn.DQN("SnapshotMalloc-v0", {}, args)
    learner.learn(100)
    learner.save(tmp_path / "checkpoint")
    other = dqn.DQN("SnapshotMalloc-v0", {}, args)
    other.load(tmp_path / "checkpoint")
    assert other.envs.samples == learner.envs.samples
    for run in (learner, other):
        run.learn(200)
    assert learner.updates > 0 and learner.metrics == other.metrics


# --- Siblings


class Corridor(gymnasium.Env):
    """From 0 to 12 by steps of one; a reward at the end."""

    observation_space = gymnasium.spaces.Discrete(13)
    action_space = gymnasium.spaces.Discrete(2)
    place = 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place = 0
        return 0, {}

    def step(self, action):
        self.place = max(self.place + (1 if action else -1), 0)
        return self.place, float(self.place == 12), self.place == 12, False, {}


gymnasium.register("Corridor-v0", Corridor, max_episode_steps=40)


def test_the_start_moves_back_as_the_student_succeeds():
    snapshots = collect_snapshots(gymnasium.make("Corridor-v0"), lambda place: 1, episodes=1, every=2)
    assert len(snapshots) == 6
    env = BackwardReset(gymnasium.make("Corridor-v0"), snapshots, attempts=4, share=0.5)
    starts = []
    for episode in range(40):
        start, _ = env.reset(seed=0)
        starts.append(start)
        right = episode < 4 or episode % 4 < 2  # half of the attempts, after the first four
        is_over = False
        while not is_over:
            _, _, terminated, truncated, _ = env.step(int(right))
            is_over = terminated or truncated
    assert starts[:24] == [place for place in (10, 8, 6, 4, 2, 0) for _ in range(4)]
    assert env.place == -1 and set(starts[24:]) == {0}


def test_the_start_stays_where_the_student_fails():
    snapshots = collect_snapshots(gymnasium.make("Corridor-v0"), lambda place: 1, episodes=1, every=2)
    env = BackwardReset(gymnasium.make("Corridor-v0"), snapshots, attempts=2, horizon=5)
    for _ in range(6):
        start, _ = env.reset(seed=0)
        walk(env, [0] * 10)
        assert start == 10
    with pytest.raises(ValueError, match="no snapshots of an episode 3"):
        BackwardReset(gymnasium.make("Corridor-v0"), snapshots, episode=3)


def reached(env, episodes=40):
    random = np.random.default_rng(0)
    best = 0
    env.reset(seed=0)
    for _ in range(episodes):
        for _ in range(4):
            place, _, terminated, truncated, _ = env.step(int(random.integers(2)))
            best = max(best, place)
            if terminated or truncated:
                break
        env.reset()
    return best


def test_an_archive_returns_to_explore():
    """In episodes of four steps the end cannot be reached, but from where an earlier one got."""
    env = ArchiveReset(gymnasium.make("Corridor-v0"), lambda place, info: place, horizon=4)
    assert reached(env) > 8 >= reached(gymnasium.make("Corridor-v0"))
    assert all(cell.moment.observation == place for place, cell in env.archive.items())
    assert all(cell.moment.step >= place for place, cell in env.archive.items())


def test_an_archive_keeps_the_shorter_way():
    env = ArchiveReset(gymnasium.make("Corridor-v0"), lambda place, info: place, horizon=None)
    env.reset(seed=0)
    walk(env, [1, 0, 1, 1])
    assert env.archive[2].moment.step == 4
    env.reset(options={"plain": True})
    walk(env, [1, 1])
    assert env.archive[2].moment.step == 2 and env.archive[1].visits == 3
    with pytest.raises(StateError, match="archive"):
        save_state(env)


def test_saving_needs_neither_mujoco_nor_ale():
    code = (
        "import sys; sys.modules['mujoco'] = sys.modules['ale_py'] = None; import gymnasium\n"
        "from rlx.wrappers import load_state, save_state\n"
        "env = gymnasium.make('CartPole-v1'); env.reset(seed=0); load_state(env, save_state(env))\n"
        "print('numba' in sys.modules)"
    )
    assert python(code).stdout == "False\n"

"""The dashboard of an electric drive: what it shows, without a display, and what it says when pygame is missing."""

import itertools
import math
import os
import pickle
import subprocess
import sys

import gymnasium
import numpy as np
import pytest
from gymnasium.error import DependencyNotInstalled, ResetNeeded

from rlx.envs.core.canvas import Canvas, History, number, ticks
from rlx.envs.electric_motor.drive import TASKS
from rlx.envs.electric_motor.env import ElectricMotorEnv, ElectricMotorVectorEnv
from rlx.envs.electric_motor.motors import MOTORS
from rlx.envs.electric_motor.render import WINDOW, maximum_torque_per_ampere

SHAPE = (600, 960, 3)


def drawn(env):
    picture = env.render()
    assert picture.shape == SHAPE and picture.dtype == np.uint8
    assert picture.flags.writeable and picture.flags.c_contiguous
    assert len(np.unique(picture @ np.array([1, 256, 65536]))) > 50, "hardly anything is drawn"
    return picture


def played(steps=5, seed=0, **kwargs):
    env = ElectricMotorEnv(render_mode="rgb_array", **kwargs)
    env.reset(seed=seed)
    env.action_space.seed(seed)
    for _ in range(steps):
        env.step(env.action_space.sample())
    return env


@pytest.mark.parametrize(("motor", "task"), list(itertools.product(MOTORS, TASKS)))
def test_every_drive_is_drawn(motor, task):
    for converter in ("continuous", "finite"):
        drawn(played(motor=motor, task=task, converter=converter, constraints=[]))


@pytest.mark.parametrize(
    "kwargs",
    [
        {"motor": "scim", "converter": "none", "supply": {"type": "ac3"}},
        {"motor": "scim", "flux_observer": True, "constraints": ["psi_abs", {"signals": ["i_sa"], "soft": 0.5}]},
        {"motor": "pmsm", "action_frame": "dq", "angle": "cos_sin", "noise": 0.01},
        {"motor": "pmsm", "references": {"torque": {}, "i_sd": {}}},
        {"motor": "permex_dc", "load": {"type": "profile", "time": [0, 1], "omega": [-30, 30]}, "converter": "finite"},
        {"motor": "series_dc", "supply": {"type": "ac1"}, "observation": "dict"},
        {"motor": "extex_dc", "converter": {"type": "continuous", "bridges": ["2qc", "1qc"], "dead_time": 2}},
        {"motor": "shunt_dc", "constraints": [{"signals": {"i_a": 100.0, "omega": 50.0}, "order": 1.0, "soft": 0.2}]},
        {"limits": {"i": 1e-3}, "task": "current"},
        {"motor": "pmsm", "params": {"r_s": 0.0}, "load": {"type": "const", "omega": 0.0}},
        {"motor": "pmsm", "params": {"r_s": 1e-9}, "load": {"type": "const", "omega": 0.0}},
    ],
)  # fmt: skip
def test_what_a_user_may_ask_for_is_drawn(kwargs):
    drawn(played(**kwargs))


def test_no_display_and_no_sdl_driver_are_needed():
    code = (
        "import gymnasium, rlx; env = gymnasium.make('rlx/ElectricMotorPmsmCurrent-v0', render_mode='rgb_array');"
        "env.reset(seed=0); env.step(env.action_space.sample()); print(env.render().shape)"
    )
    without = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER")}
    answer = subprocess.run([sys.executable, "-c", code], env=without, capture_output=True, text=True, check=True)
    assert str(SHAPE) in answer.stdout


def test_the_picture_changes_as_the_episode_goes_on():
    env = played(steps=0, motor="pmsm", task="current")
    pictures = [drawn(env)]
    for _ in range(3):
        env.step(np.array([0.2, -0.1, -0.1], np.float32))
        pictures.append(drawn(env))
    for before, after in itertools.pairwise(pictures):
        assert before is not after and (before != after).any()


def test_drawing_leaves_the_episode_alone():
    seen, unseen = played(steps=50, motor="scim"), ElectricMotorEnv(motor="scim")
    unseen.reset(seed=0)
    unseen.action_space.seed(0)
    for _ in range(50):
        unseen.step(unseen.action_space.sample())
    drawn(seen)
    assert seen.save_state().states.tobytes() == unseen.save_state().states.tobytes()


def test_every_step_is_shown_not_only_those_that_were_rendered():
    often, once = played(steps=0), played(steps=0)
    for _ in range(60):
        for env in (often, once):
            env.step(np.array([0.3], np.float32))
        picture = often.render()
    assert (picture == once.render()).all()


def test_a_loaded_state_starts_a_new_picture():
    env = played(steps=40, motor="pmsm", task="current")
    state, before = pickle.loads(pickle.dumps(env.save_state())), drawn(env)
    other = ElectricMotorEnv(motor="pmsm", task="current", render_mode="rgb_array")
    other.load_state(state)
    after = drawn(other)
    assert (before != after).any(), "the history before the state is unknown"
    assert (before[:60] == after[:60]).mean() > 0.98, "time, speed and torque are those of the state"
    env.load_state(state)
    assert (drawn(env) == after).all()


def test_the_signals_of_a_loaded_state_are_those_of_its_info():
    env = ElectricMotorEnv(motor="scim", task="current", render_mode="rgb_array")
    env.reset(seed=3)
    for _ in range(10):
        *_, info = env.step(env.action_space.sample())
    env.load_state(env.save_state())
    for name, value in (info["signals"] | {f"{key}*": v for key, v in info["reference"].items()}).items():
        assert env._dashboard._now(name) == pytest.approx(value, rel=1e-12, abs=1e-12)


def test_a_reset_starts_a_new_picture():
    env = played(steps=0, seed=1)
    first = drawn(env)
    for _ in range(30):
        env.step(np.array([1.0], np.float32))
    env.reset(seed=1)
    assert (drawn(env) == first).all()


def test_the_picture_reaches_back_one_window_and_takes_no_more_memory():
    history = History(columns=1, length=100)
    for i in range(1234):
        history.append([i])
    assert history.rows[:, 0].tolist() == list(range(1134, 1234))
    history.clear()
    assert len(history.rows) == 0
    env = played(steps=2 * WINDOW + 10)
    drawn(env)
    assert env._dashboard._history.rows.shape[0] == WINDOW


def test_an_environment_with_a_picture_can_be_pickled():
    env = played(steps=3)
    copy = pickle.loads(pickle.dumps(env))
    copy.reset(seed=0)
    drawn(copy)


def test_rows_of_a_vector_environment_are_drawn():
    envs = ElectricMotorVectorEnv(2, motor="pmsm", task="current", render_mode="rgb_array")
    envs.reset(seed=0)
    pictures = envs.render()
    assert len(pictures) == 2 and all(picture.shape == SHAPE for picture in pictures)
    assert (pictures[0] != pictures[1]).any(), "the rows have different references"


def test_a_video_can_be_recorded():
    """What `gymnasium.wrappers.RecordVideo` does, without an encoder."""
    env = gymnasium.make("rlx/ElectricMotor-v0", render_mode="rgb_array", max_episode_steps=20)
    assert env.metadata["render_fps"] > 0
    env.reset(seed=0)
    frames, over = [env.render()], False
    while not over:
        *_, terminated, truncated, _ = env.step(env.action_space.sample())
        frames.append(env.render())
        over = terminated or truncated
    assert len(frames) == 21 and len({frame.shape for frame in frames}) == 1
    env.close()


def test_a_window_shows_one_step_in_render_every(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    env = ElectricMotorEnv(render_mode="human")
    monkeypatch.setitem(env.metadata, "render_every", 10)
    monkeypatch.setitem(env.metadata, "render_fps", 10_000)
    shown = []
    monkeypatch.setattr(env, "frame", lambda: shown.append(0) or np.zeros(SHAPE, np.uint8))
    env.reset(seed=0)
    for _ in range(35):
        env.step(np.zeros(1, np.float32))
    env.close()
    assert len(shown) == 4  # at reset, and after 10, 20, 30 steps


def test_missing_pygame_is_told_with_what_to_type(monkeypatch):
    monkeypatch.setitem(sys.modules, "pygame", None)
    ElectricMotorEnv()
    for mode in ("rgb_array", "human"):
        with pytest.raises(DependencyNotInstalled, match=r'pip install "rlx\[render\]"'):
            ElectricMotorEnv(render_mode=mode)


def test_rendering_before_reset_is_refused():
    with pytest.raises(ResetNeeded, match="reset"):
        ElectricMotorEnv(render_mode="rgb_array").render()


def test_the_line_of_maximum_torque_per_ampere():
    env = ElectricMotorEnv(motor="pmsm")
    line = maximum_torque_per_ampere(env.drive, env.parameters)
    motor = env.parameters.motor
    length = np.hypot(*line.T)
    # The textbook's solution: i_d = (psi - sqrt(psi^2 + 8 (l_q - l_d)^2 i^2)) / (4 (l_q - l_d)).
    saliency = motor.l_q - motor.l_d
    expected = (motor.psi_p - np.sqrt(motor.psi_p**2 + 8 * saliency**2 * length**2)) / (4 * saliency)
    assert line[:, 0] == pytest.approx(expected, abs=0.01 * env.drive.limits["i_sd"])
    for motor_without in ("eesm", "scim", "series_dc"):
        drive = ElectricMotorEnv(motor=motor_without).drive
        assert len(maximum_torque_per_ampere(drive, drive.plant.parameters)) == 0


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-240, -140), (-1e-3, 2e-3), (0, 7.3e4)])
def test_ticks_are_round_and_few(low, high):
    marks = ticks(low, high, 5)
    assert 3 <= len(marks) <= 9
    step = marks[1] - marks[0]
    assert round(step / 10 ** math.floor(math.log10(step) + 1e-9), 6) in (1, 2, 5)
    assert all(low - 1e-9 * step <= mark <= high + 1e-9 * step for mark in marks)


def test_numbers_in_print():
    assert [number(-1.25, 1), number(-0.004, 2), number(math.nan, 1)] == ["−1.2", "0.00", "–"]


def test_a_line_with_gaps_is_drawn_in_parts():
    canvas = Canvas(40, 10)
    canvas.clear((255, 255, 255))
    canvas.line([(math.nan, 0), (0, 5), (10, 5), (math.nan, 5), (30, 5), (39, 5)], (0, 0, 0), 2)
    row = canvas.picture()[5, :, 0]
    assert row[5] < 100 and row[20] == 255 and row[34] < 100


def test_measured_values_stand_beside_the_reference_they_were_judged_by():
    env = ElectricMotorEnv(motor="pmsm", task="torque", render_mode="rgb_array", reward={"power": 1.0})
    env.reset(seed=0)
    for _ in range(20):
        _, reward, _, _, info = env.step(np.array([0.1, -0.1, 0.0], np.float32))
    error = abs(env._dashboard._now("torque") - env._dashboard._now("torque*"))
    assert -error / (2 * env.drive.limits["torque"]) == pytest.approx(reward)
    assert env._dashboard._now("torque") == info["signals"]["torque"]

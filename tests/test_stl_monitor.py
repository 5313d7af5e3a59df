"""Signal temporal logic: the definition, rtamt and finite differences are the oracles; the wrappers follow episodes."""

import json
import math
import pickle

import gymnasium
import numba
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode
from processes import ROOT
from temporal import NAMES, random_formula, random_trace, value

import rlx  # noqa: F401
from rlx.envs.core import stl
from rlx.wrappers.stl import CostTuple, FormulaError, Monitor, STLMonitor, STLVectorMonitor, parse, signal

X, Y = signal("x"), signal("y")
#: Later than any window of a random formula reaches.
FAR = 30


def cases(count, seed, longest=13):
    """Random formulas and traces; every second one has ties, the others have none."""
    for i in range(count):
        rng = np.random.default_rng([seed, i])
        formula = random_formula(rng, depth=int(rng.integers(1, 4)))
        length = int(rng.integers(1, longest))
        trace = random_trace(rng, length) if i % 2 else {name: rng.normal(size=length).tolist() for name in NAMES}
        yield formula, trace, length


# --- Text


@pytest.mark.parametrize(
    ("text", "formula"),
    [
        ("x > 0.5", X > 0.5),
        ("x <= -2e-1", X < -0.2),
        ("2*x - 3 * y + 1 > z/2", 2 * X - 3 * Y + 1 > signal("z") / 2),
        ("-(x + 1) > y", -(X + 1) > Y),
        ("(x + y) * 2 >= 1", (X + Y) * 2 > 1),
        ("-1 < x < y", (X > -1) & (Y > X)),
        ("not x > 0 and y > 0", ~(X > 0) & (Y > 0)),
        ("x > 0 or y > 0 and x < 1", (X > 0) | ((Y > 0) & (X < 1))),
        ("x > 0 -> y > 0 -> x < 1", (X > 0) >> ((Y > 0) >> (X < 1))),
        ("F[0,20] y > 0 and x > 0", stl.Finally(Y > 0, (0, 20)) & (X > 0)),
        ("G[0,100](x > 0 and F[0,20] y > 0)", stl.Globally((X > 0) & stl.Finally(Y > 0, (0, 20)), (0, 100))),
        ("x > 0 U[1,3] y > 0 or H O x > 0", stl.Until(X > 0, Y > 0, (1, 3)) | stl.Historically(stl.Once(X > 0))),
        ("not (x > 0 S y > 0)", ~stl.Since(X > 0, Y > 0)),
    ],
)
def test_text_is_read(text, formula):
    assert parse(text) == formula
    assert parse(str(formula)) == formula
    assert pickle.loads(pickle.dumps(formula)) == formula


def test_text_of_random_formulas_is_read_back():
    for formula, _, _ in cases(2000, 0):
        assert parse(str(formula)) == formula


@pytest.mark.parametrize(
    ("text", "position", "words"),
    [
        ("G[0,100](x > 0 and F[0,20] y > 0", 32, "Expected ')' that closes the one at position 8"),
        ("(x > 0", 6, "found the end"),
        ("x > 0)", 5, "closing parenthesis too many"),
        ("G[3,1] x > 0", 1, "The window [3,1] is empty"),
        ("G[0,2) x > 0", 5, "expected ']'"),
        ("G[0;2] x > 0", 3, "';' means nothing"),
        ("G[1.5,2] x > 0", 2, "whole number"),
        ("G[-1,2] x > 0", 2, "whole number"),
        ("x > 0 and speed > 3", 10, "Unknown signal 'speed'. There are: x, y."),
        ("x > ", 3, "Expected a signal, a number or '('"),
        ("x > 0 y > 0", 6, "operator before it is missing"),
        ("x and y > 0", 0, "not compared with anything"),
        ("G x", 2, "not compared with anything"),
        ("x * y > 0", 2, "Not linear"),
        ("1 / x > 0", 2, "Not linear"),
        ("x / 0 > 0", 4, "division by zero"),
        ("3 > 2", 0, "needs a signal"),
        ("x - x > 2", 0, "needs a signal"),
        ("(x > 0) + 1 > 0", 0, "Arithmetic with a formula"),
        ("x = 0", 2, "'=' means nothing"),
        ("x > 1e999", 4, "too large"),
        ("x > 0 U y > 0 S x > 0", 14, "do not chain"),
        ("", 0, "found the end"),
    ],
)
def test_errors_tell_the_position(text, position, words):
    with pytest.raises(FormulaError) as caught:
        parse(text, signals=("x", "y"))
    assert words in str(caught.value)
    assert caught.value.position == position
    *_, shown, caret = str(caught.value).splitlines()
    assert len(caret) - 5 == position and shown.strip() == text.strip()


def test_formulas_in_python_are_checked():
    with pytest.raises(FormulaError, match="empty"):
        stl.Globally(X > 0, (3, 1))
    with pytest.raises(FormulaError, match="whole steps"):
        stl.Finally(X > 0, (0.5, 1))
    with pytest.raises(FormulaError, match="not linear"):
        X * Y
    with pytest.raises(TypeError, match="& |"):
        assert 0 < X < 1
    assert parse("G[0,3] F[1,2] x > 0 or O[5,9] y > 0").horizon == 5
    assert parse("O[2,3] F[0,5] x > 0").horizon == 3
    assert parse("G[0,3] F x > 0").horizon is None


# --- Recorded traces


def test_robustness_is_that_of_the_definition():
    """No mismatch on 2 000 formulas and traces, at all times and under every policy of the trace's end."""
    for formula, trace, length in cases(2000, 1):
        expected = [value(formula, trace, t, (length, length)) for t in range(length)]
        assert formula.robustness(trace, full=True).tolist() == expected, str(formula)
        assert formula.robustness(trace) == expected[0]
        for end, unknown in (("strong", -math.inf), ("weak", math.inf)):
            expected = [value(formula, trace, t, (math.inf, length + FAR), unknown) for t in (0, length - 1)]
            assert formula.robustness(trace, end=end, full=True)[[0, -1]].tolist() == expected, (str(formula), end)


def test_robustness_is_that_of_rtamt():
    """Answers recorded from rtamt 0.4.10; made by tests/support/stl_rtamt.py."""
    recorded = json.loads((ROOT / "tests" / "data" / "stl_rtamt.json").read_text())["cases"]
    for case in recorded:
        found = parse(case["formula"]).robustness(case["signals"], full=True)
        assert found.tolist() == case["robustness"], case["formula"]
    assert len(recorded) == 400
    assert sum(math.isfinite(case["robustness"][0]) for case in recorded) > 250


def test_many_traces_are_many_times_one():
    rng = np.random.default_rng(2)
    signals = {name: rng.normal(size=(3, 400, 150)) for name in NAMES}  # more than fits into one block
    for text in ("G[0,40](x > 0 and F[0,20] y > 0)", "x - z > 0.5 U[3,30] y > 1", "H(x < 4 S[2,9] y > 0)"):
        formula = parse(text)
        found = formula.robustness(signals, full=True)
        assert found.shape == (3, 400, 150)
        assert np.array_equal(formula.robustness(signals), found[..., 0])
        for place in ((0, 0), (1, 399), (2, 200)):
            one = {name: array[place] for name, array in signals.items()}
            assert np.array_equal(formula.robustness(one, full=True), found[place])
            assert formula.robustness(one) == found[place][0]


def test_types_of_numbers():
    assert parse("x > 1").robustness({"x": [1, 2]}) == 0.0
    single = parse("G 2*x > 1").robustness({"x": np.ones((4, 5), np.float32)})
    assert single.dtype == np.float32 and single.tolist() == [1.0] * 4


def test_what_the_end_of_a_trace_does():
    trace = {"x": [1.0, 2.0, 3.0]}
    ends = {end: parse("G[1,4] x > 0").robustness(trace, end=end) for end in ("clip", "strong", "weak")}
    assert ends == {"clip": 2.0, "strong": -math.inf, "weak": 2.0}
    assert parse("not F[1,4] x > 9").robustness(trace, end="strong") == -math.inf
    assert parse("F[4,5] x > 0").robustness(trace) == -math.inf
    assert parse("G[4,5] x > 0").robustness(trace) == math.inf
    assert parse("G[0,2] x > 0").robustness(trace, end="raise") == 1.0
    with pytest.raises(FormulaError, match="reaches 2 steps beyond a trace of 3 samples"):
        parse("x > 0 or G[1,4] x > 0").robustness(trace, end="raise")
    with pytest.raises(ValueError, match="end='neutral': allowed are clip, strong, weak, raise"):
        parse("x > 0").robustness(trace, end="neutral")


@pytest.mark.parametrize(
    ("signals", "words"),
    [
        ({"x": [1.0]}, "Unknown signal 'y'. There are: x."),
        ({"x": [1.0], "y": [1.0, 2.0]}, r"one shape, time last, but: x \(1,\), y \(2,\)"),
        ({"x": [1.0, math.nan], "y": [1.0, 2.0]}, r"'x' is NaN at \(1,\)"),
        ({"x": [], "y": []}, "no samples"),
        ({"x": 1.0, "y": 1.0}, "no samples"),
    ],
)
def test_signals_are_checked(signals, words):
    with pytest.raises(ValueError, match=words):
        parse("x > 0 and y > 0").robustness(signals)


# --- Growing traces


def test_intervals_are_those_of_the_definition():
    """No mismatch on 2 000 formulas: at each prefix of a trace, with and without knowing its length."""
    refused = 0
    for formula, trace, length in cases(2000, 3):
        for known in (length, None):
            try:
                monitor = Monitor(formula, NAMES, known)
            except FormulaError:
                assert known is None and formula.horizon is None
                refused += 1
                continue
            memories = monitor.memories(1)
            for k in range(length):
                seen = {name: values[: k + 1] for name, values in trace.items()}
                end = (length, length) if known else (math.inf, k + FAR)
                expected = [value(formula, seen, 0, end, unknown) for unknown in (-math.inf, math.inf)]
                found = monitor.follow(memories, np.array([[trace[name][k] for name in NAMES]]))
                assert found.tolist() == [expected], (str(formula), known, k)
                assert memories[0, stl.NOW] == value(formula, seen, 0, (k + 1, k + 1))
            if known:
                assert found[0, 0] == found[0, 1] == formula.robustness(trace)
    assert refused < 100


def test_long_windows_online():
    """Rings wrap around many times."""
    rng = np.random.default_rng(4)
    trace = {name: rng.normal(size=300) for name in NAMES}
    for text in (
        "G[0,150](x > -3 and F[0,40] y > 0)",
        "G(x > 1 -> O[5,60] y > 1)",
        "G[10,200]((x > -1 S[3,50] y > 1.5) or z > 2)",
        "F[0,100] G[20,30] (x > -2 U[0,70] (y > 2 and O z > 1))",
        "G[0,90] not (x > 0 U[5,100] H[0,9] y < 1)",
    ):
        formula = parse(text)
        for length in (300, None):
            monitor = Monitor(formula, NAMES, length)
            memories = monitor.memories(1)
            for k in range(300):
                bounds = monitor.follow(memories, np.array([[trace[name][k] for name in NAMES]]))
                if k % 37 == 0 or k == 299:
                    seen = {name: values[: k + 1] for name, values in trace.items()}
                    assert memories[0, stl.NOW] == formula.robustness(seen), (text, k)
                    if length is None:
                        expected = [formula.robustness(seen, end=end) for end in ("strong", "weak")]
                        assert bounds.tolist() == [expected], (text, k)
            if length:
                assert bounds.tolist() == [[formula.robustness(trace)] * 2]


def test_memory_is_a_value():
    monitor = Monitor("G[0,9](x > 0 -> F[0,5] y > 0)", ("x", "y"))
    rng = np.random.default_rng(5)
    samples = rng.normal(size=(15, 8, 2))
    memories = monitor.memories(8)
    for sample in samples[:7]:
        monitor.follow(memories, sample)
    kept = pickle.loads(pickle.dumps(memories[2:3]))
    for sample in samples[7:]:
        bounds = monitor.follow(memories, sample)
        assert np.array_equal(monitor.follow(kept, sample[2:3]), bounds[2:3])
    monitor.begin(memories, np.arange(8) == 3)
    monitor.follow(memories, samples[0], np.arange(8) == 3)
    again = monitor.memories(1)
    monitor.follow(again, samples[0, 3:4])
    assert np.array_equal(again[0], memories[3]) and np.array_equal(kept[0], memories[2])


@numba.njit(error_model="numpy")
def run(nodes, numbers, memory, samples):
    program = (nodes, numbers)
    stl.start(program, memory)
    bounds = (0.0, 0.0)
    for sample in samples:
        bounds = stl.advance(program, memory, sample)
    return bounds


def test_a_kernel_can_call_the_monitor():
    monitor = Monitor("G[0,9](x > 0 -> F[0,5] y > 0)", ("y", "x"))
    samples = np.random.default_rng(6).normal(size=(15, 2))
    bounds = run(*monitor.program, np.empty(monitor.memory_size), samples)
    assert bounds[0] == bounds[1] == monitor.formula.robustness({"y": samples[:, 0], "x": samples[:, 1]})


def test_what_online_refuses():
    with pytest.raises(FormulaError, match="'F x > 0' is asked for at several times"):
        Monitor("G F x > 0", ("x",))
    assert Monitor("G F x > 0", ("x",), length=5).memory_size
    with pytest.raises(FormulaError, match="Unknown signal 'z'") as caught:
        Monitor((X > 0) & (signal("z") > 0), ("x", "y"))
    assert caught.value.position == len("x > 0 and ")
    with pytest.raises(ValueError, match="length=0"):
        Monitor("x > 0", ("x",), length=0)
    monitor = Monitor("x > y", ("x", "y"))
    with pytest.raises(ValueError, match=r"shape \(3, 2\), one row for each monitor in the order x, y"):
        monitor.follow(monitor.memories(3), np.zeros((3, 1)))
    with pytest.raises(ValueError, match="'y' is NaN in row 2"):
        monitor.follow(monitor.memories(3), np.array([[0, 0], [0, 0], [0, math.nan]]))


# --- Gradients


@pytest.fixture(scope="module")
def smooth():
    pytest.importorskip("torch", reason='pip install "rlx[baselines]"')
    from rlx.envs.core.stl import smooth

    return smooth


def tensors(trace):
    import torch

    return {name: torch.tensor(values, dtype=torch.float64, requires_grad=True) for name, values in trace.items()}


def test_torch_agrees(smooth):
    for formula, trace, _ in cases(300, 7):
        found = smooth.robustness(formula, tensors(trace), full=True)
        assert np.array_equal(found.detach().numpy(), formula.robustness(trace, full=True)), str(formula)


def test_smooth_robustness_approaches_the_exact(smooth):
    rng = np.random.default_rng(8)
    formula = parse("G[0,20](x > 0 and F[0,9] y > 0) or (x > 0 U[2,9] O[0,3] y > 1)")
    trace = {name: rng.normal(size=(50, 40)) for name in "xy"}
    exact = formula.robustness(trace)

    def of(formula, **options):
        return smooth.robustness(formula, tensors(trace), **options).detach().numpy()

    for smoothing in ("logsumexp", "softmax"):
        errors = [
            np.abs(of(formula, temperature=t, smoothing=smoothing) - exact).max() for t in (1.0, 0.1, 0.01, 0.001)
        ]
        assert errors == sorted(errors, reverse=True) and errors[-1] < 0.01
    largest = parse("F[0,9] x > 0")
    above = of(largest, temperature=0.5) - largest.robustness(trace)
    assert above.min() >= 0.0 and above.max() <= 0.5 * math.log(10)
    assert (of(largest, temperature=0.5, smoothing="softmax") <= largest.robustness(trace)).all()


@pytest.mark.parametrize("options", [{}, {"temperature": 0.3}, {"temperature": 0.3, "smoothing": "softmax"}])
def test_gradients_are_finite_differences(smooth, options):
    import torch

    checked = 0
    for formula, trace, _ in cases(120, 9, longest=7):
        inputs = tensors({name: np.random.default_rng(checked).permutation(values) for name, values in trace.items()})
        if len({v for values in trace.values() for v in values}) < sum(map(len, trace.values())) and not options:
            continue  # the exact minimum has no gradient where two operands are equal
        if abs(smooth.robustness(formula, inputs, **options).item()) < 1e20:
            function = lambda *values, f=formula: smooth.robustness(f, dict(zip(NAMES, values, strict=True)), **options)  # noqa: E731
            assert torch.autograd.gradcheck(function, tuple(inputs.values()))
            checked += 1
    assert checked > 30


def test_torch_checks_its_arguments(smooth):
    signals = tensors({"x": [1.0, 2.0], "y": [1.0]})
    with pytest.raises(FormulaError, match="Unknown signal 'z'"):
        smooth.robustness(parse("z > 0"), signals)
    with pytest.raises(ValueError, match="one shape"):
        smooth.robustness(parse("x > y"), signals)
    with pytest.raises(ValueError, match="allowed are logsumexp, softmax"):
        smooth.robustness(parse("x > 0"), signals, smoothing="mean")
    with pytest.raises(ValueError, match="temperature=0"):
        smooth.robustness(parse("x > 0"), signals, temperature=0)


# --- Episodes

TEXT = "G(-0.2 < angle < 0.2) and F[0,30] position > 0.02"
SIGNALS = {"angle": 2, "position": lambda observation, info, action: observation[..., 0]}


def episode(env, seed):
    """Play at random; return the observations, the rewards, and the infos."""
    env.action_space.seed(seed)
    observation, info = env.reset(seed=seed)
    observations, rewards, infos, is_over = [observation], [], [info], False
    while not is_over:
        observation, reward, terminated, truncated, info = env.step(env.action_space.sample())
        observations.append(observation)
        rewards.append(reward)
        infos.append(info)
        is_over = terminated or truncated
    return np.array(observations, np.float64), rewards, infos


@pytest.mark.parametrize("end", ["clip", "strong", "weak"])
def test_an_episode_is_judged(end):
    env = STLMonitor(gymnasium.make("CartPole-v1"), TEXT, SIGNALS, end=end)
    for seed in range(4):
        observations, _, infos = episode(env, seed)
        trace = {"angle": observations[:, 2], "position": observations[:, 0]}
        for k, info in enumerate(infos):
            seen = {name: values[: k + 1] for name, values in trace.items()}
            assert info["robustness"]["now"] == env.formula.robustness(seen)
            assert info["robustness"]["low"] <= info["robustness"]["high"]
            assert ("stl_satisfied" in info) == (k == len(infos) - 1)
        final = infos[-1]["robustness"]
        assert infos[-1]["stl_robustness"] == env.formula.robustness(trace, end=end) == final["low"] == final["high"]
        assert infos[-1]["stl_satisfied"] == (infos[-1]["stl_robustness"] >= 0.0)


def test_the_steps_of_an_episode_make_bounds_tighter():
    text, signals = "G F x > 9 and F[0,99] x > 9", {"x": 0}
    with pytest.raises(FormulaError, match="steps= of STLMonitor"):
        STLMonitor(gymnasium.make("CartPole-v1"), text, signals)
    env = STLMonitor(gymnasium.make("CartPole-v1", max_episode_steps=5), text, signals, steps=5)
    _, _, infos = episode(env, 0)
    assert [info["robustness"]["high"] == math.inf for info in infos] == [True] * 5 + [False]
    assert env._watch.memories[0, stl.LOW] == env._watch.memories[0, stl.HIGH] == infos[-1]["stl_robustness"]


def test_reward_and_observation():
    made = {
        reward: STLMonitor(gymnasium.make("CartPole-v1"), TEXT, SIGNALS, reward=reward, keep_reward=False, weight=2.0)
        for reward in ("final", "change")
    }
    for env in made.values():
        check_env(env, skip_render_check=True)
    _, final, infos = episode(made["final"], 3)
    assert final == [0.0] * (len(final) - 1) + [2.0 * infos[-1]["stl_robustness"]]
    _, change, infos = episode(made["change"], 3)
    assert sum(change) == pytest.approx(2.0 * (infos[-1]["stl_robustness"] - infos[0]["robustness"]["now"]))
    kept = STLMonitor(gymnasium.make("CartPole-v1"), TEXT, SIGNALS, reward="change", weight=2.0)
    assert np.allclose(episode(kept, 3)[1], np.add(change, 1.0))
    env = STLMonitor(gymnasium.make("CartPole-v1"), TEXT, SIGNALS, observe=True, bound=3.0)
    check_env(env, skip_render_check=True)
    observations, _, infos = episode(env, 3)
    told = [[info["robustness"][name] for name in ("low", "high", "now")] for info in infos]
    assert np.array_equal(observations[:, 4:], np.clip(np.array(told, np.float32), -3.0, 3.0))


def test_signals_come_from_info():
    env = STLMonitor(gymnasium.make("rlx/ElectricMotor-v0"), "G omega < 300")
    _, info = env.reset(seed=0)
    assert info["robustness"]["now"] == 300.0 - info["signals"]["omega"]
    with pytest.raises(FormulaError, match="Unknown signal 'speed'. There are: .*omega") as caught:
        STLMonitor(gymnasium.make("rlx/ElectricMotor-v0"), "G speed < 300").reset(seed=0)
    assert caught.value.position == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"formula": "G speed > 0"}, "Unknown signal 'speed'. There are: angle, position."),
        ({"formula": "G[2,1] angle > 0"}, r"The window \[2,1\] is empty"),
        ({"signals": {"angle": 7}}, r"signals\['angle'\] = 7 is no place in the observation"),
        ({"end": "raise"}, "allowed are clip, strong, weak"),
        ({"end": "weak", "steps": 9}, "steps=9 and end='weak'"),
        ({"reward": "dense"}, "allowed are"),
        ({"bound": math.inf}, "positive and finite"),
    ],
)
def test_wrapper_arguments_are_checked(arguments, words):
    with pytest.raises(ValueError, match=words):
        STLMonitor(gymnasium.make("CartPole-v1"), **{"formula": "G angle > 0", "signals": SIGNALS} | arguments)


def rows(env_id, count, mode, steps):
    if env_id.startswith("rlx/"):
        return gymnasium.make_vec(env_id, count, autoreset_mode=mode, max_episode_steps=steps)
    return gymnasium.make_vec(
        env_id, count, vectorization_mode="sync", vector_kwargs={"autoreset_mode": mode}, max_episode_steps=steps
    )


@pytest.mark.parametrize("mode", list(AutoresetMode))
@pytest.mark.parametrize(
    ("env_id", "text", "signals"),
    [("CartPole-v1", TEXT, SIGNALS), ("rlx/ElectricMotor-v0", "G[3,9] omega > 1 or F[2,8] i < 0", None)],
)
def test_rows_are_what_single_environments_are(mode, env_id, text, signals):
    """Until its first end, for then a row goes on with a seed of its own."""
    arguments = {"reward": "change", "observe": True}
    many = STLVectorMonitor(rows(env_id, 3, mode, 12), text, signals, **arguments)
    single = [STLMonitor(gymnasium.make(env_id, max_episode_steps=12), text, signals, **arguments) for _ in range(3)]
    many.action_space.seed(1)
    observations, infos = many.reset(seed=5)
    for i, env in enumerate(single):
        observation, info = env.reset(seed=5 + i)
        assert np.array_equal(observations[i], observation)
        assert infos["robustness"]["now"][i] == info["robustness"]["now"]
    running = np.ones(3, bool)
    while running.any():
        actions = many.action_space.sample()
        observations, rewards, terminated, truncated, infos = many.step(actions)
        for i in np.flatnonzero(running):
            observation, reward, is_terminated, is_truncated, info = single[i].step(actions[i])
            assert (is_terminated, is_truncated) == (terminated[i], truncated[i])
            assert rewards[i] == pytest.approx(reward)
            if is_terminated or is_truncated:
                running[i] = False
                assert infos["_stl_robustness"][i] and infos["stl_robustness"][i] == info["stl_robustness"]
                assert infos["stl_satisfied"][i] == info["stl_satisfied"]
            if running[i] or mode != AutoresetMode.SAME_STEP:
                assert np.array_equal(observations[i], observation)
                assert infos["robustness"]["low"][i] == info["robustness"]["low"]
            else:
                assert np.array_equal(infos["final_obs"][i], observation)
        if mode == AutoresetMode.DISABLED and not running.all():
            break  # rows that have ended may not be stepped


def test_autoreset_begins_a_trace_anew():
    """Robustness so far is that of the running episode alone, whichever way it began."""
    for mode in AutoresetMode:
        first = {"x": lambda observation, info, action: observation[:, 0]}
        envs = STLVectorMonitor(rows("CartPole-v1", 2, mode, 6), "G x < 9", first)
        observations, _ = envs.reset(seed=0)
        seen = [[observations[i, 0]] for i in range(2)]
        ended = np.zeros(2, bool)
        for _ in range(40):
            if mode == AutoresetMode.DISABLED and ended.any():
                observations, infos = envs.reset(options={"reset_mask": ended})
                for i in np.flatnonzero(ended):
                    seen[i] = [observations[i, 0]]
                    assert infos["robustness"]["now"][i] == 9 - float(observations[i, 0])
            observations, _, terminated, truncated, infos = envs.step(np.ones(2, int))
            over = terminated | truncated
            for i in range(2):
                begun = over[i] if mode == AutoresetMode.SAME_STEP else ended[i] and mode == AutoresetMode.NEXT_STEP
                seen[i] = [observations[i, 0]] if begun else [*seen[i], observations[i, 0]]
                assert infos["robustness"]["now"][i] == min(9 - float(x) for x in seen[i])
            ended = over


def test_cost_tuple():
    env = CostTuple(gymnasium.make("rlx/ElectricMotor-v0"))
    env.reset(seed=0)
    observation, reward, cost, terminated, truncated, info = env.step(env.action_space.sample())
    assert observation in env.observation_space and cost == info["cost"] and not (terminated or truncated)
    env = CostTuple(gymnasium.make("CartPole-v1"))
    env.reset(seed=0)
    with pytest.raises(KeyError, match="needs info\\['cost'\\]"):
        env.step(0)

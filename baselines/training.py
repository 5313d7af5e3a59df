"""What the learners share that is no part of any algorithm: layers, environments to train in, checkpoints.

Networks are lists of tensors, weight and bias of each layer in turn; a weight is (inputs, outputs).
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray
from torch import Tensor

from rlx.wrappers.states import StateError, is_known_throughout, load_state, save_state

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"relu": torch.relu, "tanh": torch.tanh}
ROWS_PER_SEED = 100_000  # seeds of a run's environments: disjoint between runs, and from those of any evaluation

#: Names of arguments with blanks between, what must hold of each, and that in words.
Rules = Iterable[tuple[str, Callable[[Any], bool], str]]

COMMON_RULES: Rules = (
    ("steps num_envs batch_size replay_size", lambda v: v >= 1, "at least 1"),
    ("seed episode_steps warmup update_ratio error_bound", lambda v: v >= 0, "at least 0"),
    ("reward_scale", lambda v: v > 0, "more than 0"),
    ("final_rate", lambda v: 0 <= v <= 1, "between 0 and 1"),
    ("tau", lambda v: 0 < v <= 1, "more than 0 and at most 1"),
    ("hidden_sizes", lambda v: len(v) > 0 and min(v) >= 1, "one or more widths of at least 1"),
    ("activation", lambda v: v in ACTIVATIONS, " or ".join(ACTIVATIONS)),
    ("device", lambda v: _can_compute_on(v), "cpu, or another on which torch can compute here"),
    ("num_envs", lambda v: v <= ROWS_PER_SEED, f"at most {ROWS_PER_SEED}"),
    ("seed", lambda v: v < 10_000, "less than 10000"),
)


def check_args(algo: str, args: Any, rules: Rules) -> None:
    """Hold ``args`` against ``rules`` and `COMMON_RULES`; rules for arguments that it lacks do not matter.

    Raises:
        ValueError: names the argument, its value and what is allowed.
    """
    for names, holds, allowed in (*rules, *COMMON_RULES):
        for name in names.split():
            if hasattr(args, name) and not holds(getattr(args, name)):
                raise ValueError(f"{algo}: {name} = {getattr(args, name)!r}, but it must be {allowed}.")


# Where and how torch computes


def _can_compute_on(device: str) -> bool:
    try:
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError):  # the latter where torch is built without it
        return False
    return True


def compute_reproducibly() -> None:
    """Let the same run give the same result from now on, on any device; on a CPU, one thread computes."""
    # Without it the products of matrices on a GPU are not the same each time; read when they are first needed.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    # It finds faults of operators, and takes time.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def move(tensors: Iterable[Tensor], device: torch.device) -> None:
    """Let tensors lie on ``device``; they stay the same objects."""
    for tensor in tensors:
        tensor.data = tensor.data.to(device)


# Layers


def make_layer(shape: Sequence[int], outputs: int, bound: float, generator: torch.Generator) -> list[Tensor]:
    """Return a fresh weight of ``shape`` and a bias (outputs,), uniform in +-``bound``."""
    shapes = (tuple(shape), (outputs,))
    return [(torch.rand(s, generator=generator) * 2 - 1).mul_(bound).requires_grad_() for s in shapes]


def make_network(sizes: Sequence[int], generator: torch.Generator, last: float | None = 3e-3) -> list[Tensor]:
    """Return fresh parameters, uniform in +-1/sqrt(inputs).

    Args:
        sizes: of the input and of each layer's output.
        generator: of the numbers.
        last: bound of the last layer instead, so that the first outputs are near zero; None leaves it as the others.
    """
    parameters = []
    for layer, (inputs, outputs) in enumerate(zip(sizes, sizes[1:], strict=False)):
        bound = last if last is not None and layer == len(sizes) - 2 else inputs**-0.5
        parameters += make_layer((inputs, outputs), outputs, bound, generator)
    return parameters


def hidden(parameters: list[Tensor], x: Tensor, activation: Callable[[Tensor], Tensor]) -> Tensor:
    """Return ``x`` (B, inputs) after all layers, each followed by the activation."""
    for k in range(0, len(parameters), 2):
        x = activation(torch.addmm(parameters[k + 1], x, parameters[k]))
    return x


def forward(parameters: list[Tensor], x: Tensor, activation: Callable[[Tensor], Tensor]) -> Tensor:
    """Return the network's output (B, outputs) for a batch ``x`` (B, inputs); the last layer is linear."""
    return torch.addmm(parameters[-1], hidden(parameters[:-2], x, activation), parameters[-2])


def descend(loss: Tensor, parameters: list[Tensor], optimizer: torch.optim.Optimizer, max_norm: float = 0.0) -> None:
    """Take one optimiser step down ``loss`` in ``parameters`` alone; ``max_norm`` bounds the gradient, unless 0."""
    optimizer.zero_grad()
    # Not autograd.grad, whose gradients may lie in memory in another order (those of convolutions do), which the fused
    # Adam takes for that of the parameters.
    torch.autograd.backward(loss, inputs=parameters)
    if max_norm > 0:
        torch.nn.utils.clip_grad_norm_(parameters, max_norm)
    optimizer.step()


def copy_into(parameters: Iterable[Tensor], values: Iterable[Tensor]) -> None:
    """Overwrite parameters by values of the same shapes."""
    with torch.no_grad():
        for parameter, value in zip(parameters, values, strict=True):
            parameter.copy_(value)


# Numbers that are learned from


class Normalizer:
    """Mean and standard deviation of all rows so far, in double precision (Chan, Golub and LeVeque 1979)."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        """Start with no rows of ``shape``, which have the mean 0 and the deviation 1."""
        self.count = 0
        self.mean = np.zeros(shape)
        self.squares = np.zeros(shape)  # of distances from the mean, summed
        self.deviation = np.ones(shape)

    def add(self, rows: NDArray[Any]) -> None:
        """Take note of rows (n, ...)."""
        if not len(rows):
            return
        mean = rows.mean(axis=0, dtype=np.float64)
        distance, total = mean - self.mean, self.count + len(rows)
        self.squares += np.square(rows - mean).sum(axis=0) + distance**2 * (self.count * len(rows) / total)
        self.mean += distance * (len(rows) / total)
        self.count = total
        variance = self.squares / total
        self.deviation = np.sqrt(np.where(variance > 1e-8, variance, 1.0))  # what does not vary keeps its width

    def scale(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return rows less the mean, by the deviation."""
        scaled: NDArray[np.float32] = ((rows - self.mean) / self.deviation).astype(np.float32)
        return scaled

    def fold(self, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the layer (inputs, outputs) that makes of rows what the one given makes of `scale` of them."""
        wide = weight / self.deviation[:, None]
        return wide.astype(np.float32), (bias - self.mean @ wide).astype(np.float32)


# Environments


def to_bounds(action: NDArray[Any], space: spaces.Box) -> NDArray[Any]:
    """Return actions (N, A) between -1 and 1, the bounds, as ``space`` has them; what lies beyond becomes the bound."""
    scaled: NDArray[Any] = space.low + (action.reshape(-1, *space.shape) + 1.0) / 2.0 * (space.high - space.low)
    return np.clip(scaled, space.low, space.high).astype(space.dtype)  # type: ignore[no-any-return]


def make_envs(
    algo: str, env_id: str | EnvSpec, env_kwargs: Mapping[str, Any] | None, args: Any
) -> VectorEnv[Any, Any, Any]:
    """Make ``args.num_envs`` environments whose episodes are cut off after ``args.episode_steps``, if that is set.

    Raises:
        TypeError: an ended episode does not restart with the next step, as the learners need.
    """
    horizon = {"max_episode_steps": args.episode_steps} if args.episode_steps else {}
    envs = gymnasium.make_vec(env_id, args.num_envs, **{**(env_kwargs or {}), **horizon})
    if envs.metadata.get("autoreset_mode") != AutoresetMode.NEXT_STEP:
        raise TypeError(f"{algo} needs the autoreset mode NEXT_STEP, but {env_id} has another.")
    return envs


def save_envs(envs: VectorEnv[Any, Any, Any]) -> Any:
    """Return the state of environments, for `load_envs`; None where they have no ``save_state`` and are not known.

    Those of Gymnasium are known, but for a few; others are not tried out.
    """
    if hasattr(envs, "save_state"):
        return envs.save_state()
    try:
        return save_state(envs) if is_known_throughout(envs) else None
    except StateError:
        return None


def load_envs(envs: VectorEnv[Any, Any, Any], state: Any) -> None:
    """Continue from what `save_envs` returned, which was not None."""
    if hasattr(envs, "load_state"):
        envs.load_state(state)
    else:
        load_state(envs, state)


def first_seed(seed: int, decisions: int) -> int:
    """Return the seed of a run's first environment, when all are reset after so many decisions."""
    if decisions == 0:
        return seed * ROWS_PER_SEED
    # As far from other runs' seeds as chance allows, and below those of evaluations.
    return int(np.random.default_rng((seed, 2, decisions)).integers(10**9, 2 * 10**9))


# Checkpoints


def write_checkpoint(path: str | Path, args: Any, content: Mapping[str, Any]) -> None:
    """Write ``content`` and the arguments it belongs to, atomically."""
    temporary = Path(f"{path}.partial")
    with temporary.open("wb") as file:
        torch.save({"args": dataclasses.asdict(args), **content}, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def read_checkpoint(path: str | Path, args: Any) -> dict[str, Any]:
    """Return what `write_checkpoint` wrote. The file holds Python objects: read only what you wrote yourself.

    Raises:
        ValueError: it was written with other arguments; names the first that differs.
    """
    checkpoint: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=False)
    for name, value in dataclasses.asdict(args).items():
        if checkpoint["args"][name] != value:
            raise ValueError(f"{path} was written with {name} = {checkpoint['args'][name]!r}, not {value!r}.")
    return checkpoint

"""Datasets of episodes in the format of Minari, recorded and read back bit for bit, each with a card.

The card tells returns, and two numbers of Schweighofer et al. 2022 (*A Dataset Perspective on Offline Reinforcement
Learning*, https://arxiv.org/abs/2111.04714): TQ, the trajectory quality, is the mean return, 0 for that of a dataset of
random actions and 1 for that of an expert's; SACo, the state-action coverage, is the number of different pairs of
observation and action, over that of the dataset of random actions. The paper counts states that are discrete; here each
continuous number is told as one of `BINS` intervals of its range, see `cells`.
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec
from numpy.typing import NDArray

from rlx.registry.experts import Policy

if TYPE_CHECKING:
    from minari import MinariDataset

FIRST_SEED = 2 * 10**9  # of recorded episodes: no run trains from these, and none is judged on them
EPISODES_PER_SEED = 100_000
SEEDS = 1_000  # of recordings; the last of their episodes come before those of evaluations
BINS = 10  # intervals that tell a continuous number apart, for the coverage
CARD = "rlx"  # where the metadata of a dataset have its card
MASK = "action_mask"

TellProgress = Callable[[float], None]


@dataclasses.dataclass(frozen=True)
class Card:
    """What a dataset is, in numbers."""

    env_id: str
    env_kwargs: Mapping[str, Any]
    policy: str
    """Who acted."""
    steps: int
    episodes: int
    mean: float
    """Of the returns, undiscounted."""
    std: float
    """Of the returns, over the episodes."""
    min: float
    max: float
    pairs: int
    """How many pairs of observation and action are different, continuous numbers in `BINS` intervals."""
    tq: float | None = None
    """Trajectory quality, the mean return: 0 is that of random actions, 1 that of an expert. None: not compared."""
    saco: float | None = None
    """State-action coverage, the pairs over those of random actions. None: not compared."""

    def score(self, random: Card, expert: Card) -> float:
        """Return the mean return, 0 for that of ``random`` and 1 for that of ``expert``.

        Raises:
            ValueError: the two have the same.
        """
        if expert.mean == random.mean:
            raise ValueError(f"{expert.policy} and {random.policy} both have the mean return {random.mean}.")
        return (self.mean - random.mean) / (expert.mean - random.mean)


def record(
    env_id: str,
    make_policy: Callable[[gymnasium.Env[Any, Any]], Policy],
    name: str,
    steps: int,
    *,
    policy: str = "",
    env_kwargs: Mapping[str, Any] | None = None,
    seed: int = 0,
    folder: str | Path | None = None,
    complete: Callable[[Card], Card] = lambda card: card,
    on_progress: TellProgress = lambda fraction: None,
) -> MinariDataset:
    """Play whole episodes until there are ``steps`` steps, and keep them as a dataset.

    Where the action mask is no entry of the observation, it is kept as ``infos["action_mask"]``.

    Args:
        env_id: the environment.
        make_policy: given the environment, returns who acts.
        name: of the dataset, like ``malloc/expert-v0``.
        steps: at least so many.
        policy: what the card says of who acted.
        env_kwargs: keyword arguments of the environment.
        seed: less than `SEEDS`; each has episodes of its own.
        folder: where datasets lie; None for Minari's (MINARI_DATASETS_PATH, or ``.minari/datasets`` of the user).
        complete: adds to the card what its numbers mean beside others.
        on_progress: told now and then which fraction is done.

    Raises:
        ValueError: the dataset is there already, or there are spaces that Minari cannot describe.
    """
    if not 0 <= seed < SEEDS:
        raise ValueError(f"seed = {seed}, but it must be from 0 to {SEEDS - 1}.")
    kwargs = dict(env_kwargs or {})
    about = {"env_id": env_id, "env_kwargs": kwargs, "policy": policy}
    env = gymnasium.make(env_id, **kwargs)
    try:
        episodes = play(env, make_policy(env), steps, FIRST_SEED + seed * EPISODES_PER_SEED, on_progress)
        return write(name, env, episodes, about, folder, complete)
    finally:
        env.close()


def play(
    env: gymnasium.Env[Any, Any], policy: Policy, steps: int, first_seed: int, on_progress: TellProgress
) -> Iterator[dict[str, Any]]:
    """Yield whole episodes, by the names of the fields of Minari's ``EpisodeBuffer``, until there are enough steps."""
    done = 0
    for seed in range(first_seed, first_seed + EPISODES_PER_SEED):
        observation, info = env.reset(seed=seed)
        policy.reset()
        # Copies, since an environment or a policy may use an array again.
        observations, masks = [copy.deepcopy(observation)], [_flat(info.get(MASK))]
        columns: dict[str, list[Any]] = {"actions": [], "rewards": [], "terminations": [], "truncations": []}
        is_over = False
        while not is_over:
            action = copy.deepcopy(policy.act(observation, info))
            observation, reward, terminated, truncated, info = env.step(action)
            observations.append(copy.deepcopy(observation))
            masks.append(_flat(info.get(MASK)))
            for column, value in zip(columns.values(), (action, float(reward), terminated, truncated), strict=True):
                column.append(value)
            is_over = terminated or truncated
            if len(observations) % 256 == 0:
                on_progress(min((done + len(observations)) / steps, 1.0))
        done += len(columns["actions"])
        on_progress(min(done / steps, 1.0))
        has_own_mask = masks[0] is not None and not (isinstance(observation, dict) and MASK in observation)
        yield {
            "seed": seed,
            "observations": stack(env.observation_space, observations),
            "actions": stack(env.action_space, columns.pop("actions")),
            **{name: np.asarray(column) for name, column in columns.items()},
            "infos": {MASK: np.stack(masks)} if has_own_mask else {},
        }
        if done >= steps:
            return
    raise ValueError(f"{EPISODES_PER_SEED} episodes have only {done} steps. Record fewer than {steps} with one seed.")


def write(
    name: str,
    env: gymnasium.Env[Any, Any],
    episodes: Iterator[dict[str, Any]],
    about: Mapping[str, Any],
    folder: str | Path | None = None,
    complete: Callable[[Card], Card] = lambda card: card,
) -> MinariDataset:
    """Write a dataset of ``env``; it appears all at once, when the last episode is there.

    Args:
        name: of the dataset.
        env: what has the spaces and the specification.
        episodes: by the names of the fields of Minari's ``EpisodeBuffer``.
        about: the fields of the card that tell where the episodes come from.
        folder: see `record`.
        complete: see `record`.

    Raises:
        ValueError: the dataset is there already, or Minari cannot describe it.
    """
    from minari import MinariDataset, __version__
    from minari.data_collector.episode_buffer import EpisodeBuffer
    from minari.dataset.minari_dataset import parse_dataset_id
    from minari.dataset.minari_storage import MinariStorage

    try:
        parse_dataset_id(name)
    except (TypeError, ValueError):
        raise ValueError(f"{name!r}: the name of a dataset reads like malloc/expert-v0.") from None
    target = datasets_folder(folder) / name
    if target.exists():
        raise ValueError(f"{target} is there already, and a dataset does not change. Choose another name or folder.")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".partial-") as temporary:
        whole = Path(temporary) / target.name
        whole.mkdir()
        try:
            # Pictures would be stored as JPEG, which changes them.
            storage = MinariStorage.new(
                whole / "data", env.observation_space, env.action_space, _spec(env), "hdf5", jpeg_encoding=False
            )
        except NotImplementedError as error:
            raise ValueError(f"Minari has no datasets of these spaces: {error}.") from None
        meter = Meter(env.observation_space, env.action_space)
        storage.update_episodes(EpisodeBuffer(**episode) for episode in map(meter.watch, episodes))
        card = complete(meter.card(about))
        metadata = {"dataset_id": name, "minari_version": __version__, "algorithm_name": card.policy or "unknown"}
        storage.update_metadata({**metadata, CARD: dataclasses.asdict(card)})
        os.rename(whole, target)
    return MinariDataset(target / "data")


def open_dataset(name: str | Path, folder: str | Path | None = None) -> MinariDataset:
    """Open a dataset by its name, or by the folder it lies in. Nothing is downloaded.

    Raises:
        ValueError: there is none; says which there are.
    """
    from minari import MinariDataset

    for place in (Path(name), datasets_folder(folder) / name):
        if (place / "data").is_dir():
            return MinariDataset(place / "data")
    there = ", ".join(names(folder)) or "none"
    raise ValueError(
        f"There is no dataset {str(name)!r} in {datasets_folder(folder)}. There are: {there}. `rlx record` writes one."
    )


def names(folder: str | Path | None = None) -> list[str]:
    """Return the names of the datasets in a folder."""
    root = datasets_folder(folder)
    found = (path.parents[1].relative_to(root) for path in root.glob("**/data/metadata.json"))
    return sorted(str(path) for path in found if not any(part.startswith(".") for part in path.parts))


def card_of(dataset: MinariDataset) -> Card:
    """Return the card of a dataset; one that was not recorded by rlx is read through for it."""
    metadata = dataset.storage.metadata
    if CARD in metadata:
        return Card(**metadata[CARD])
    meter = Meter(dataset.observation_space, dataset.action_space)
    for episode in episodes_of(dataset):
        meter.watch(episode)
    spec = dataset.env_spec
    about = {"env_id": spec.id, "env_kwargs": spec.kwargs} if spec else {"env_id": "unknown", "env_kwargs": {}}
    return meter.card({**about, "policy": metadata.get("algorithm_name", "unknown")})


def episodes_of(dataset: MinariDataset) -> Iterator[dict[str, Any]]:
    """Yield the episodes of a dataset, as `play` does."""
    storage, places = dataset.storage, dataset.episode_indices
    for episode, about in zip(storage.get_episodes(places), storage.get_episode_metadata(places), strict=True):
        fields = ("observations", "actions", "rewards", "terminations", "truncations")
        yield {
            "seed": about.get("seed"),
            **{name: episode[name] for name in fields},
            "infos": episode["infos"] or {},
        }


def datasets_folder(folder: str | Path | None = None) -> Path:
    """Return where datasets lie: ``folder``, or Minari's."""
    root = Path(folder or os.environ.get("MINARI_DATASETS_PATH") or Path.home() / ".minari" / "datasets")
    return root.absolute()  # where Minari writes it cannot do with another


# Columns


def stack(space: spaces.Space[Any], values: Sequence[Any]) -> Any:
    """Return values of ``space`` as Minari keeps them: one array, or a dict or tuple of them; of texts, a list."""
    if isinstance(space, spaces.Dict):
        return {name: stack(part, [value[name] for value in values]) for name, part in space.items()}
    if isinstance(space, spaces.Tuple):
        return tuple(stack(part, [value[k] for value in values]) for k, part in enumerate(space))
    return list(values) if isinstance(space, spaces.Text) else np.asarray(values)


def cells(space: spaces.Space[Any], values: Any) -> list[NDArray[Any]]:
    """Return columns (T, ...) of ``space`` such that what counts as the same is the same.

    A number of a `Box` of floats is told by which of `BINS` equal intervals between its bounds it is in; one without
    bounds, by intervals of width 1 / `BINS`. All else stays as it is.
    """
    if isinstance(space, spaces.Dict):
        return [column for name, part in space.items() for column in cells(part, values[name])]
    if isinstance(space, spaces.Tuple):
        return [column for k, part in enumerate(space) for column in cells(part, values[k])]
    if isinstance(space, spaces.Text):
        return [np.array([text.ljust(space.max_length, "\0") for text in values])]
    if isinstance(space, spaces.Box) and np.issubdtype(space.dtype, np.floating):
        low, high = (bound.astype(np.float64) for bound in (space.low, space.high))
        is_finite = np.isfinite(low) & np.isfinite(high)
        width = np.where(is_finite, np.maximum(high - low, np.finfo(np.float64).tiny), 1.0)
        place = np.floor((np.asarray(values) - np.where(is_finite, low, 0.0)) / width * BINS)
        return [np.where(is_finite, np.minimum(place, BINS - 1), place).astype(np.int64)]
    return [np.asarray(values)]


class Meter:
    """Watches episodes go by, and says what they are like."""

    def __init__(self, observation_space: spaces.Space[Any], action_space: spaces.Space[Any]) -> None:
        """Start from nothing."""
        self.observation_space, self.action_space = observation_space, action_space
        self.pairs: set[bytes] = set()
        self.returns: list[float] = []
        self.steps = 0

    def watch(self, episode: dict[str, Any]) -> dict[str, Any]:
        """Take note of an episode, and return it."""
        length = len(episode["rewards"])
        told = cells(self.observation_space, episode["observations"]) + cells(self.action_space, episode["actions"])
        rows = [np.ascontiguousarray(column[:length].reshape(length, -1)).view(np.uint8) for column in told]
        self.pairs.update(hashlib.blake2b(row, digest_size=12).digest() for row in np.concatenate(rows, axis=1))
        self.returns.append(float(np.sum(episode["rewards"])))
        self.steps += length
        return episode

    def card(self, about: Mapping[str, Any]) -> Card:
        """Return the card of all episodes so far."""
        found = np.array(self.returns)
        numbers: dict[str, Any] = {name: float(getattr(found, name)()) for name in ("mean", "std", "min", "max")}
        return Card(**about, **numbers, steps=self.steps, episodes=len(found), pairs=len(self.pairs))


def _spec(env: gymnasium.Env[Any, Any]) -> EnvSpec | None:
    """Return the specification of ``env`` if it can be written down: Minari makes the environment again from it."""
    try:
        if env.spec is not None:
            env.spec.to_json()
    except (TypeError, ValueError):  # registered with a class or function instead of its name
        return None
    return env.spec


def _flat(mask: Any) -> Any:
    """Return a copy of a mask as one array; the parts of a tuple stand end to end."""
    return np.concatenate(mask) if isinstance(mask, tuple) else None if mask is None else np.array(mask)

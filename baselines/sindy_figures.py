"""Pictures of what SINDy-RL believes: which terms each equation has, and where it moves from where it has been."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import LogNorm
from numpy.typing import NDArray

from .sindy import Array, SparseModel, numbered, root_mean_square

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .sindy_rl import World

NAMED = 40  # terms at most whose names are written
ARROWS = 400  # transitions at most that are drawn


def draw_world(figure: Figure, world: World, rows: tuple[Array, ...]) -> None:
    """Draw the terms of a world's models and, where two or three numbers say where it is, its phase portrait.

    Args:
        figure: empty; its size is set.
        world: as it is believed to be.
        rows: columns of n transitions, as `learn_world` takes them.
    """
    before, action, reward, after, _ = rows
    names = [*numbered("x", before.shape[1]), *numbered("u", action.shape[1])]
    both = np.concatenate((before, action), axis=1)
    paid_for = np.concatenate((after, action), axis=1) if world.reward_after else both
    coordinates = _coordinates(world, before)
    has_portrait = 2 <= coordinates.shape[1] <= 3
    targets = before.shape[1]
    figure.set_size_inches(8.4, 1.6 + 0.28 * targets + 1.4 + (3.6 if has_portrait else 0.0))
    heights = [targets + 2, 3.0, *([13.0] if has_portrait else [])]
    grid = figure.add_gridspec(len(heights), 2, height_ratios=heights)
    changes = [f"{name}' - {name}" for name in names[:targets]]
    _draw_terms(figure.add_subplot(grid[0, :]), world.dynamics, both, after - before, names, changes)
    dashed = [f"{name}'" if world.reward_after and k < targets else name for k, name in enumerate(names)]
    _draw_terms(figure.add_subplot(grid[1, :]), world.reward, paid_for, reward, dashed, ["reward"])
    if has_portrait:
        drawn = np.random.default_rng(0).permutation(len(before))[:ARROWS]
        believed = world.step(before[drawn], action[drawn])[0]
        one = figure.add_subplot(grid[2, 0])
        other = figure.add_subplot(grid[2, 1], sharex=one, sharey=one)
        labels = _labels(world, names)
        _draw_moves(one, coordinates[drawn], _coordinates(world, after[drawn]), labels, "moves seen")
        _draw_moves(other, coordinates[drawn], _coordinates(world, believed), labels, "moves believed")


def _draw_terms(axes: Axes, model: SparseModel, at: Array, targets: Array, names: list[str], lines: list[str]) -> None:
    """Draw which terms each target has, as shares of its size."""
    shares = np.abs(model.coefficients.T) * root_mean_square(model.library(at))
    shares = shares / root_mean_square(targets)[:, None]
    image = axes.imshow(
        np.ma.masked_equal(shares, 0.0), aspect="auto", cmap="viridis_r", norm=LogNorm(1e-3, 1.0), interpolation="none"
    )
    axes.set_yticks(range(len(lines)), lines, fontsize=8)
    terms = [name or "1" for name in model.library.names(names)]
    if len(terms) <= NAMED:
        axes.set_xticks(range(len(terms)), terms, rotation=90, fontsize=7)
    else:
        axes.set_xlabel(f"{len(terms)} candidate terms, by degree", fontsize=8)
    axes.set_title(
        f"{model.size} of {shares.size} terms; colour: by what share of its size a term moves the target",
        loc="left",
        fontsize=9,
    )
    axes.grid(visible=False)
    axes.figure.colorbar(image, ax=axes, pad=0.01)


def _draw_moves(axes: Axes, before: Array, after: Array, labels: list[str], title: str) -> None:
    """Draw transitions as arrows in the first two coordinates."""
    moves = after - before
    turned = np.array([label.startswith("angle") for label in labels])
    moves[:, turned] = (moves[:, turned] + np.pi) % (2.0 * np.pi) - np.pi
    axes.quiver(
        *before.T[:2], *moves.T[:2], angles="xy", scale_units="xy", scale=1.0, width=0.003, color="#0072B2", alpha=0.8
    )
    axes.set_xlabel(labels[0])
    axes.set_ylabel(labels[1])
    axes.set_title(title, loc="left", fontsize=9)


def _coordinates(world: World, observations: Array) -> Array:
    """Return observations (N, O) with one angle (rad) for each pair of cosine and sine, and none that never moves."""
    angles: list[NDArray[np.float64]] = [
        np.arctan2(observations[:, sine], observations[:, cosine]) for cosine, sine in world.circles
    ]
    return np.stack([*angles, *(observations[:, k] for k in _others(world))], axis=1)


def _labels(world: World, names: list[str]) -> list[str]:
    """Return the names of `_coordinates`."""
    angles = [f"angle of ({names[cosine]}, {names[sine]}), rad" for cosine, sine in world.circles]
    return [*angles, *(names[k] for k in _others(world))]


def _others(world: World) -> list[int]:
    """Return which observations move and are in no pair of cosine and sine."""
    paired = {k for pair in world.circles for k in pair}
    return [k for k in range(len(world.low)) if k not in paired and world.low[k] < world.high[k]]

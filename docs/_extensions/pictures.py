"""Draws every environment as its reference expert plays: ``python docs/_extensions/pictures.py``.

The pictures are committed, in ``docs/images/environments/``; the pages about environments show them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import gymnasium
from PIL import Image

from rlx.registry.catalog import Environment, environments
from rlx.registry.experts import make_expert

FOLDER = Path(__file__).parents[1] / "images" / "environments"
LONGEST, WIDTH, COLORS = 300, 640, 128


def draw(row: Environment) -> Image.Image:
    """Return a picture of the environment in use."""
    env = gymnasium.make(row.id, render_mode="rgb_array")
    expert = make_expert(env, row.reference or next(iter(row.experts), "random"))
    length = LONGEST
    for _ in range(2):  # first to see how long the episode is
        observation, info = env.reset(seed=1)
        expert.reset()
        for step in range(length):  # noqa: B007
            observation, _, terminated, truncated, info = env.step(expert.act(observation, info))
            if terminated or truncated:
                break
        length = (step + 1) // 2
    picture = Image.fromarray(env.render())  # type: ignore[arg-type]
    env.close()
    picture.thumbnail((WIDTH, WIDTH), Image.Resampling.LANCZOS)
    return picture.quantize(COLORS)


def main(names: list[str]) -> None:
    """Draw the environments whose ids contain one of ``names``; all, if there are none."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for row in environments().values():
        if row.family and (not names or any(name in row.id for name in names)):
            draw(row).save(FOLDER / f"{row.id.removeprefix('rlx/')}.png", optimize=True)
            print(row.id)


if __name__ == "__main__":
    main(sys.argv[1:])

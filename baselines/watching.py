"""Playing one episode to be looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
from PIL import Image

from rlx.registry.experts import Policy, make_expert

from .policy import load_policy


def choose_policy(env: gymnasium.Env[Any, Any], name: str, seed: int) -> Policy:
    """Return the policy in the file or folder ``name``, or else the expert of that name.

    Raises:
        ValueError: neither file nor expert; says what there is.
    """
    if Path(name).exists():
        policy: Policy = load_policy(name)
        return policy
    return make_expert(env, name, **({"seed": seed} if name == "random" else {}))


def play(
    env: gymnasium.Env[Any, Any],
    policy: Policy,
    seed: int,
    steps: int,
    out: Path | None,
    every: int,
    width: int | None = None,
) -> tuple[float, int]:
    """Play an episode, and keep pictures of it if ``out`` says where.

    Args:
        env: with the render mode "human", or "rgb_array" if ``out`` is given.
        policy: who acts.
        seed: of the episode.
        steps: at most so many.
        out: a .gif of every ``every``-th step, or a .png of the last.
        every: steps from picture to picture.
        width: to which wider pictures are made smaller, in pixels.

    Returns:
        The sum of rewards, and the number of steps.
    """
    observation, info = env.reset(seed=seed)
    policy.reset()
    pictures: list[Image.Image] = []
    total, length, is_over = 0.0, 0, False
    while not is_over and length < steps:
        observation, reward, terminated, truncated, info = env.step(policy.act(observation, info))
        total += float(reward)
        length += 1
        is_over = terminated or truncated
        if out is not None and out.suffix == ".gif" and length % every == 0:
            pictures.append(_picture(env, width))
    if out is not None:
        last = _picture(env, width)
        period = 1000 // env.metadata.get("render_fps", 30)  # ms
        more = {"save_all": True, "append_images": pictures[1:], "duration": period, "loop": 0} if pictures else {}
        (pictures or [last])[0].save(out, **more)
    return total, length


def _picture(env: gymnasium.Env[Any, Any], width: int | None) -> Image.Image:
    picture = Image.fromarray(env.render())  # type: ignore[arg-type]
    if width is not None and picture.width > width:
        picture = picture.resize((width, round(picture.height * width / picture.width)), Image.Resampling.LANCZOS)
    return picture

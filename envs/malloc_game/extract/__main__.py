"""Extracts the programs that come with rlx: ``python -m rlx.envs.malloc_game.extract [names]``.

Each network is compiled by XLA for the CPU in f32, in place of bf16, and never run. What is written is facts: orders,
sizes, operands and counts. They depend on the version of XLA: those that ship were made with jax 0.10.2.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax

from ..importers import compile_jax
from ..program import IN_PLACE_OF_BF16, Program
from .networks import NETWORKS


def main(arguments: Sequence[str] | None = None) -> None:
    """Extract programs, and print what they count beside XLA's own cost analysis."""
    parser = argparse.ArgumentParser(prog="python -m rlx.envs.malloc_game.extract", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"which, of {', '.join(NETWORKS)}; all, if none is given")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "data", help="the folder to write to")
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - NETWORKS.keys():
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(NETWORKS)}")
    jax.config.update("jax_platforms", "cpu")
    options.out.mkdir(parents=True, exist_ok=True)
    print("program | instructions | buffers | Gflop | GB | flops, bytes / XLA's (loops once)")
    for name in options.names or NETWORKS:
        function, shapes = NETWORKS[name]
        compiled = compile_jax(function, *shapes)
        program = Program.from_hlo(compiled.as_text(), name, IN_PLACE_OF_BF16)
        (options.out / f"{name}.json").write_text(program.to_json() + "\n", "utf-8")
        print(name, len(program.instructions), len(program.buffers), *_counts(program, compiled), sep=" | ", flush=True)


def _counts(program: Program, compiled: Any) -> tuple[str, ...]:
    moved = [sum(size for _, size in (*entry.inputs, *entry.outputs)) for entry in program.instructions]
    flops = sum(entry.flops for entry in program.instructions)
    xla = compiled.cost_analysis()
    once = [
        sum(value / entry.times for value, entry in zip(values, program.instructions, strict=True))
        for values in ((entry.flops for entry in program.instructions), moved)
    ]
    ratios = f"{once[0] / xla['flops']:.4f}, {once[1] / xla['bytes accessed']:.4f}"
    return f"{flops / 1e9:.2f}", f"{sum(moved) / 1e9:.3f}", ratios


if __name__ == "__main__":
    main()

"""References: what the controlled signals should do."""

from __future__ import annotations

import dataclasses
import math
import numbers
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.reading import Interval, interval, number, one_of, sequence
from . import kernels


@dataclasses.dataclass(frozen=True)
class Reference:
    """A reference generator for one signal. Values are fractions of the signal's limit.

    In sub-episodes of random length it draws its parameters anew, each uniformly from its interval (`sigma`
    log-uniformly).
    """

    kind: str = "wiener"
    """``const``; ``wiener`` or ``laplace`` (random walks); ``sine``, ``triangle``, ``sawtooth`` or ``step`` (waves);
    ``feasible``: what the drive itself does under random band-limited voltages, so that it can be followed exactly."""
    p: float = 1.0
    """Weight with which it is chosen among several generators of a signal."""
    value: float = 0.0
    """The constant of ``const``."""
    sigma: Interval = (1e-3, 1e-1)
    """Standard deviation (``wiener``) or scale (``laplace``) of a step."""
    amplitude: Interval = (0.0, 1.0)
    """Amplitude of a wave; the part of the interval that fits into the margin counts."""
    frequency: Interval = (1.0, 10.0)
    """Frequency of a wave in Hz."""
    period: Interval | None = None
    """Period of a wave in s, if that is to be drawn uniformly, and not the frequency."""
    offset: Interval = (-1.0, 1.0)
    """Mean of a wave; the part of the interval with which the wave fits into the margin counts."""
    margin: Interval | None = None
    """The reference stays within; nominal value over limit, if None."""
    length: Interval = (500.0, 2000.0)
    """Steps of a sub-episode."""
    bandwidth: float = 20.0
    """Bandwidth in Hz of the voltages that drive a ``feasible`` reference."""

    def __post_init__(self) -> None:
        """Check every field.

        Raises:
            ValueError: unknown kind, or an interval that is empty or out of range.
        """
        one_of("Reference kind", self.kind, kernels.GENERATOR_KINDS)
        bounds = {
            "sigma": (1e-12, 10.0), "amplitude": (0.0, 1.0), "frequency": (0.0, 1e5), "period": (1e-5, 1e9),
            "offset": (-1.0, 1.0), "margin": (-1.0, 1.0), "length": (1.0, 1e9),
        }  # fmt: skip
        for name, (low, high) in bounds.items():
            value = getattr(self, name)
            if name == "margin" and isinstance(value, numbers.Real):
                value = -number("Reference margin", value, 0.0, 1.0), value
            if value is not None:
                object.__setattr__(self, name, interval(f"Reference {name}", value, low, high))
        number("Reference p", self.p, 1e-9)
        number("Reference bandwidth", self.bandwidth, 1e-9, 1e5)
        number("Reference value", self.value, -1.0, 1.0)


@dataclasses.dataclass(frozen=True)
class References:
    """The generators of one signal: one, or several between which it switches at random."""

    generators: tuple[Reference, ...]
    tenure: Interval = (1e9, 1e9)
    """Steps until the next generator is drawn."""
    start: Interval | None = None
    """Interval of the first value; the margin, if None."""

    def __post_init__(self) -> None:
        """Check the number of generators and the intervals."""
        if not 1 <= len(self.generators) <= kernels.GENERATORS:
            raise ValueError(f"1 to {kernels.GENERATORS} generators are possible, not {len(self.generators)}.")
        object.__setattr__(self, "tenure", interval("Reference tenure", self.tenure, 1.0, 1e9))
        if self.start is not None:
            object.__setattr__(self, "start", interval("Reference start", self.start, -1.0, 1.0))


def read_references(given: Any, targets: Sequence[str], default: Reference) -> dict[str, References]:
    """Turn what a user wrote into the references of each target signal.

    Args:
        given: None; a kind; a dict of `Reference` fields; a list of these (switched at random, with an optional dict
            ``{"tenure": (low, high)}`` among them); a dict of any of these per signal; or `References`.
        targets: the controlled signals.
        default: the generator where nothing else is said; also fills fields left out.

    Raises:
        ValueError: an unknown signal, field or kind.
    """
    if isinstance(given, Mapping) and given and not set(given) - set(targets):
        return {name: _read_one(given.get(name), default) for name in targets}
    return {name: _read_one(given, default) for name in targets}


def _read_one(given: Any, default: Reference) -> References:
    if isinstance(given, References):
        return given
    if given is None:
        return References((default,))
    if isinstance(given, str):
        return References((dataclasses.replace(default, kind=given),))
    if isinstance(given, Reference):
        return References((given,))
    if isinstance(given, Mapping):
        options = dict(given)
        several = options.pop("switch", None)
        outer = {name: options.pop(name) for name in ("tenure", "start") if name in options}
        if several is not None:
            if options:
                raise ValueError(f"Unknown field {next(iter(options))!r} beside 'switch'. Allowed: 'tenure', 'start'.")
            several = sequence("Reference switch", several)
            generators = tuple(g for one in several for g in _read_one(one, default).generators)
            return References(generators, **{"tenure": (100.0, 10_000.0), **outer})
        fields = [field.name for field in dataclasses.fields(Reference)]
        for name in options:
            one_of("The reference field or signal", name, (*fields, "tenure", "start", "switch"))
        return References((dataclasses.replace(default, **options),), **outer)
    raise ValueError(f"A reference is a kind, a dict of its fields, or {{'switch': [...]}}; not {given!r}.")


def pack_references(
    row: NDArray[np.void], references: Sequence[References], margins: Sequence[Interval], lows: Sequence[float]
) -> None:
    """Write the generators of each reference into the packed drive.

    Args:
        row: the record, changed in place.
        references: per target.
        margins: per target, where a generator names none: from the lowest to the highest nominal value.
        lows: per target, the lowest normalised value.
    """
    for r, (reference, margin, low) in enumerate(zip(references, margins, lows, strict=True)):
        first = reference.generators[0].margin or margin
        row["reference_start"][r] = reference.start or first
        row["generator_length"][r] = reference.tenure
        total, cumulative = sum(g.p for g in reference.generators), 0.0
        for i in range(kernels.GENERATORS):
            generator = reference.generators[min(i, len(reference.generators) - 1)]
            cumulative += generator.p / total if i < len(reference.generators) else 0.0
            packed = row["generator"][r * kernels.GENERATORS + i]
            packed["kind"] = kernels.GENERATOR_KINDS.index(generator.kind)
            packed["cumulative"] = cumulative
            packed["log_sigma"] = np.log10(generator.sigma)
            for name in ("value", "amplitude", "offset", "length"):
                packed[name] = getattr(generator, name)
            packed["frequency"], packed["draws_period"] = (
                generator.period or generator.frequency,
                bool(generator.period),
            )
            # Whatever its margin, a reference can be observed.
            packed["margin"] = np.clip(generator.margin or margin, low, 1.0)
    bandwidths = [g.bandwidth for one in references for g in one.generators if g.kind == "feasible"]
    if bandwidths:
        row["is_feasible"] = 1
        row["shadow_chance"] = min(bandwidths[0] * float(row["tau"]), 1.0)
        row["shadow_share"] = -math.expm1(-2.0 * math.pi * bandwidths[0] * float(row["tau"]))

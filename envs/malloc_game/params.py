"""The chip whose memory is mapped. Latencies are modelled, never measured."""

from __future__ import annotations

import dataclasses

from ..core import Parameters, quantity


@dataclasses.dataclass(frozen=True)
class Chip(Parameters):
    """An accelerator with a small fast memory beside a large slow one.

    The defaults are TPUv4i's where they are public: 138 Tflop/s and 128 MiB of CMEM (Jouppi et al., "Ten Lessons From
    Three Generations Shaped Google's TPUv4i", ISCA 2021). The bandwidth of its fast memory, four times the slow one's,
    and its vector rate are assumptions.
    """

    matrix_rate: float = quantity(138e12, "flop/s", "rate of the matrix unit", low=1e6, high=1e18)
    vector_rate: float = quantity(4.3e12, "flop/s", "rate of everything else", low=1e6, high=1e18)
    # The spreads keep the fast memory the faster one in every context.
    slow_bandwidth: float = quantity(
        614e9, "B/s", "bandwidth of the slow memory", low=1e3, high=1e16, spread=(0.25, 1.0)
    )
    fast_bandwidth: float = quantity(
        2.46e12, "B/s", "bandwidth of the fast memory", low=1e3, high=1e17, spread=(1.0, 4.0)
    )
    capacity: int = quantity(128 * 2**20, "B", "size of the fast memory", low=4096, high=2**40, varies=False)
    alignment: int = quantity(512, "B", "what offsets are multiples of", low=1, high=2**20, varies=False)

    def __post_init__(self) -> None:
        """Check that the fast memory is the faster one.

        Raises:
            ValueError: it is not, or the capacity is no multiple of the alignment.
        """
        super().__post_init__()
        if self.fast_bandwidth < self.slow_bandwidth:
            raise ValueError(
                f"fast_bandwidth = {self.fast_bandwidth:g} B/s is below slow_bandwidth = {self.slow_bandwidth:g} B/s."
            )
        if self.capacity % self.alignment:
            raise ValueError(f"capacity = {self.capacity} B is not a multiple of alignment = {self.alignment} B.")


#: Chips by name. ``edge`` is invented: a generic small accelerator.
CHIPS: dict[str, Chip] = {
    "tpuv4i": Chip(),
    "tpuv4": Chip(matrix_rate=275e12, slow_bandwidth=1.2e12, fast_bandwidth=4.8e12),
    "edge": Chip(
        matrix_rate=4e12,
        vector_rate=0.2e12,
        slow_bandwidth=30e9,
        fast_bandwidth=120e9,
        capacity=4 * 2**20,
        alignment=64,
    ),
}

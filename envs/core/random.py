"""A counter-based random stream that lives in the state of an environment.

Philox4x32-7 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011; seven rounds pass BigCrush): a
64-bit key and a 64-bit counter give 128 random bits, so that a stream is a few numbers, can be copied and continued
anywhere, and streams of different keys never meet. Verified against the authors' known answers.

A stream is an array ``rng`` of shape (3,), dtype uint64: key, counter, and the second half of the last block (zero for
none). A uniform draw takes 64 bits, half a block; so does a normal draw, save one in eighty, which takes more.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .jit import jit

Stream = NDArray[np.uint64]


def new_stream(generator: np.random.Generator) -> Stream:
    """Start a fresh stream, its key drawn from the generator that Gymnasium seeds."""
    return np.array([generator.integers(0, 2**64, dtype=np.uint64), 0, 0], np.uint64)


@jit
def philox(key: np.uint64, counter: np.uint64, counter_high: np.uint64) -> tuple[np.uint64, np.uint64]:
    """Encrypt a 128-bit counter with a 64-bit key, in seven rounds.

    Args:
        key: the key.
        counter: the low half of the counter.
        counter_high: the high half; zero in a stream.

    Returns:
        The four 32-bit words in the authors' order, low word first.
    """
    mask = np.uint64(0xFFFFFFFF)
    half = np.uint64(32)
    key_0, key_1 = np.uint64(key) & mask, np.uint64(key) >> half
    word_0, word_1 = np.uint64(counter) & mask, np.uint64(counter) >> half
    word_2, word_3 = np.uint64(counter_high) & mask, np.uint64(counter_high) >> half
    for _ in range(7):
        product_0 = np.uint64(0xD2511F53) * word_0
        product_1 = np.uint64(0xCD9E8D57) * word_2
        word_0 = (product_1 >> half) ^ word_1 ^ key_0
        word_1 = product_1 & mask
        word_2 = (product_0 >> half) ^ word_3 ^ key_1
        word_3 = product_0 & mask
        key_0 = (key_0 + np.uint64(0x9E3779B9)) & mask
        key_1 = (key_1 + np.uint64(0xBB67AE85)) & mask
    return word_0 | (word_1 << half), word_2 | (word_3 << half)


@jit
def bits(rng: Stream) -> np.uint64:
    """Draw 64 random bits; every second draw advances ``rng`` by one block."""
    spare: np.uint64 = rng[2]
    if spare != np.uint64(0):
        rng[2] = np.uint64(0)
        return spare
    low, high = philox(rng[0], rng[1], np.uint64(0))
    rng[1] += np.uint64(1)
    rng[2] = high
    return low


@jit
def uniform(rng: Stream) -> float:
    """Draw from [0, 1), in steps of 2**-53."""
    return float(bits(rng) >> np.uint64(11)) * 2.0**-53


#: Where the tail of the normal density begins, if it is cut into 256 layers of equal area (Marsaglia and Tsang, "The
#: ziggurat method for generating random variables", Journal of Statistical Software 5(8), 2000).
TAIL = 3.6541528853610088


def _edges() -> NDArray[np.float64]:
    """Return the right edges of the layers, the widest and lowest first, and 0.

    Layer i lies between the density's values at edges i and i + 1; the lowest one, from 0 to the value at `TAIL`, is
    drawn as a rectangle of its area, tail included.
    """
    density = math.exp(-0.5 * TAIL * TAIL)
    area = TAIL * density + math.sqrt(0.5 * math.pi) * math.erfc(TAIL / math.sqrt(2.0))
    edges = [area / density, TAIL]
    while len(edges) < 256:
        density += area / edges[-1]
        edges.append(math.sqrt(-2.0 * math.log(density)))
    return np.array([*edges, 0.0])


_EDGE = _edges()
_DENSITY = np.exp(-0.5 * _EDGE * _EDGE)


@jit
def normal(rng: Stream) -> float:
    """Draw from the standard normal distribution, by the ziggurat method."""
    while True:
        drawn = bits(rng)
        layer = np.int64(drawn & np.uint64(255))
        x: float = float(np.int64(drawn) >> 11) * 2.0**-52 * _EDGE[layer]
        if abs(x) < _EDGE[layer + 1]:
            return x
        if layer == 0:
            # Beyond the edge: the tail, by Marsaglia's exponential bound. 1 - u lies in (0, 1], where log is finite.
            while True:
                beyond = -math.log(1.0 - uniform(rng)) / TAIL
                if -2.0 * math.log(1.0 - uniform(rng)) > beyond * beyond:
                    return math.copysign(TAIL + beyond, x)
        height = _DENSITY[layer] + (_DENSITY[layer + 1] - _DENSITY[layer]) * uniform(rng)
        if height < math.exp(-0.5 * x * x):
            return x


@jit
def integer(rng: Stream, count: int) -> int:
    """Draw from {0, ..., count - 1}. The bias is below count * 2**-53."""
    return int(uniform(rng) * count)

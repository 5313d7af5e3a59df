"""A counter-based random stream that lives in the state of an environment.

Philox4x32-7 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011; seven rounds pass BigCrush): a
64-bit key and a 64-bit counter give 128 random bits, so that a stream is a few numbers, can be copied and continued
anywhere, and streams of different keys never meet. Verified against the authors' known answers.

A stream is an array ``rng`` of shape (3,), dtype uint64: key, counter, and the second normal deviate of the last pair
(its bits; zero for none). A uniform draw uses one block, a pair of normal draws too.
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
def uniform(rng: Stream) -> float:
    """Draw from [0, 1), in steps of 2**-53; advances ``rng`` by one block."""
    bits, _ = philox(rng[0], rng[1], np.uint64(0))
    rng[1] += np.uint64(1)
    return float(bits >> np.uint64(11)) * 2.0**-53


@jit
def normal(rng: Stream) -> float:
    """Draw from the standard normal distribution (Box-Muller); every second draw advances ``rng`` by one block."""
    spare = rng[2:3].view(np.float64)
    if rng[2] != np.uint64(0):
        deviate = spare[0]
        rng[2] = np.uint64(0)
        return float(deviate)
    bits_0, bits_1 = philox(rng[0], rng[1], np.uint64(0))
    rng[1] += np.uint64(1)
    # 1 - u lies in (0, 1], where the logarithm is finite.
    radius = math.sqrt(-2.0 * math.log(1.0 - float(bits_0 >> np.uint64(11)) * 2.0**-53))
    angle = 2.0 * math.pi * float(bits_1 >> np.uint64(11)) * 2.0**-53
    spare[0] = radius * math.sin(angle)
    return radius * math.cos(angle)


@jit
def integer(rng: Stream, count: int) -> int:
    """Draw from {0, ..., count - 1}; advances ``rng`` by one block. The bias is below count * 2**-53."""
    return int(uniform(rng) * count)

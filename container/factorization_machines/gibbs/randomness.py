"""Compiled random draws: uniform, normal, and normal within bounds.

The generator is a counter that a mixing function turns into bits, so that its whole state is one
number and the same seed gives the same draws on every processor.

Source:
    Steele, Lea and Flood, *Fast splittable pseudorandom number generators*, OOPSLA 2014;
    Doornik, *An improved ziggurat method to generate normal random samples*, 2005;
    Robert, *Simulation of truncated normal variables*, Statistics and Computing 1995.
"""

import math

import numpy as np
import numpy.typing as npt
from recommender.features import Float64s

from factorization_machines.compiled.compiling import compiled

RandomState = npt.NDArray[np.uint64]

_LAYERS = 128
_TAIL = 3.442619855899  # where the ziggurat's lowest layer ends
_LAYER_AREA = 9.91256303526217e-3
_UNIT = 1.0 / (1 << 53)
_SIGNED_UNIT = 1.0 / (1 << 52)

# Below it, plain rejection is cheaper than Robert's shifted exponential.
_PLAIN_REJECTION = 0.45


def _ziggurat() -> tuple[Float64s, Float64s]:
    """Edges of the layers, and each edge over the one below it."""
    edges = np.zeros(_LAYERS + 1)
    height = math.exp(-0.5 * _TAIL**2)
    edges[0], edges[1] = _LAYER_AREA / height, _TAIL
    for layer in range(2, _LAYERS):
        edges[layer] = math.sqrt(-2 * math.log(_LAYER_AREA / edges[layer - 1] + height))
        height = math.exp(-0.5 * edges[layer] ** 2)
    return edges, edges[1:] / edges[:-1]


_EDGES, _RATIOS = _ziggurat()


def random_state(*parts: int) -> RandomState:
    """Make a generator's state from whole numbers such as a seed and a purpose.

    Returns:
        ``(1,)`` uint64, moved on by every draw.
    """
    return np.random.SeedSequence(parts).generate_state(1, np.uint64).astype(np.uint64)


@compiled
def bits(state: RandomState) -> np.uint64:
    """Draw 64 bits."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    mixed: np.uint64 = state[0]
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


@compiled
def uniform(state: RandomState) -> float:
    """Draw from the open interval (0, 1)."""
    return (float(bits(state) >> np.uint64(11)) + 0.5) * _UNIT


@compiled
def normal(state: RandomState) -> float:
    """Draw from the standard normal distribution."""
    while True:
        drawn = bits(state)
        layer = int(drawn & np.uint64(_LAYERS - 1))
        # The upper bits with their sign: independent of the lower ones, which chose the layer.
        side = float(np.int64(drawn) >> np.int64(11)) * _SIGNED_UNIT
        if abs(side) < _RATIOS[layer]:
            return float(side * _EDGES[layer])
        if layer == 0:
            while True:
                beyond = -math.log(uniform(state)) / _TAIL
                if -2.0 * math.log(uniform(state)) >= beyond * beyond:
                    return -_TAIL - beyond if side < 0.0 else _TAIL + beyond
        found = float(side * _EDGES[layer])
        outer = math.exp(-0.5 * (_EDGES[layer] * _EDGES[layer] - found * found))
        inner = math.exp(-0.5 * (_EDGES[layer + 1] * _EDGES[layer + 1] - found * found))
        if inner + uniform(state) * (outer - inner) < 1.0:
            return found


@compiled
def normal_above(state: RandomState, low: float) -> float:
    """Draw from the standard normal distribution, given that it exceeds ``low``."""
    if low < _PLAIN_REJECTION:
        while True:
            found = normal(state)
            if found > low:
                return found
    rate = 0.5 * (low + math.sqrt(low * low + 4.0))
    while True:
        found = low - math.log(uniform(state)) / rate
        if uniform(state) <= math.exp(-0.5 * (found - rate) * (found - rate)):
            return found


@compiled
def normal_between(  # noqa: C901 - compiled loops
    state: RandomState, low: float, high: float
) -> float:
    """Draw from the standard normal distribution, given that it lies in ``(low, high)``.

    Each case accepts at least one proposal in a few.
    """
    if high == np.inf:
        return normal_above(state, low)
    if low == -np.inf:
        return -normal_above(state, -high)
    # The tail beyond `low` falls by exp(-low * width) within the bounds, or faster.
    if low > 0.0 and (high - low) * low > 1.0:
        while True:
            found = normal_above(state, low)
            if found < high:
                return found
    if high < 0.0 and (low - high) * high > 1.0:
        while True:
            found = -normal_above(state, -high)
            if found > low:
                return found
    if low <= 0.0 <= high and high - low > 1.0:
        while True:
            found = normal(state)
            if low < found < high:
                return found
    nearest = max(low, min(0.0, high))
    while True:
        found = low + (high - low) * uniform(state)
        if uniform(state) <= math.exp(0.5 * (nearest * nearest - found * found)):
            return found

"""What every kernel family of rlx shares, and nothing else.

A family writes parameters (`Parameters`, `quantity`), two kernels (`jit`), and a `Problem` that names them; `KernelEnv`
and `KernelVectorEnv` make it one environment or many. Where the transition is Python (pages, other programs), a
`Simulation` takes the place of the kernels, and the rest is the same.
"""

from .env import KernelEnv, State
from .jit import inlined, jit
from .parameters import Parameters, quantity
from .policies import Policy, read_policy
from .problem import COST, INFO, REWARD, SUCCESS, TERMINATED, TRUNCATED, Problem, state_dtype
from .random import Stream, integer, normal, philox, uniform
from .simulation import SIMULATION, Simulation, Simulations, as_record
from .vector import KernelVectorEnv

__all__ = [
    "COST",
    "INFO",
    "REWARD",
    "SIMULATION",
    "SUCCESS",
    "TERMINATED",
    "TRUNCATED",
    "KernelEnv",
    "KernelVectorEnv",
    "Parameters",
    "Policy",
    "Problem",
    "Simulation",
    "Simulations",
    "State",
    "Stream",
    "as_record",
    "inlined",
    "integer",
    "jit",
    "normal",
    "philox",
    "quantity",
    "read_policy",
    "state_dtype",
    "uniform",
]

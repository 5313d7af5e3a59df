"""What every kernel family of rlx shares, and nothing else.

A family writes parameters (`Parameters`, `quantity`), two kernels (`jit`), and a `Problem` that names them; `KernelEnv`
and `KernelVectorEnv` make it one environment or many.
"""

from .env import KernelEnv, State
from .jit import inlined, jit
from .parameters import Parameters, quantity
from .policies import Policy, read_policy
from .problem import COST, INFO, REWARD, SUCCESS, TERMINATED, Problem, state_dtype
from .random import Stream, integer, normal, philox, uniform
from .vector import KernelVectorEnv

__all__ = [
    "COST",
    "INFO",
    "REWARD",
    "SUCCESS",
    "TERMINATED",
    "KernelEnv",
    "KernelVectorEnv",
    "Parameters",
    "Policy",
    "Problem",
    "State",
    "Stream",
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

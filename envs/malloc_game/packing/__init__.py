"""Pure packing: every buffer is in memory, and the question is where."""

from .env import MallocPackingEnv, MallocPackingVectorEnv
from .generator import Buffer, Instance

__all__ = ["Buffer", "Instance", "MallocPackingEnv", "MallocPackingVectorEnv"]

"""Initializers: JAX's protocol `(key, shape, dtype) -> Array`, options as further keyword arguments.

`shape` is `(fan_in, fan_out)` for a dense layer; for more axes all but the last count as fan-in.
"""

import sys

from bench.registry import Registry, import_submodules

initializer = Registry("initializer", supplied=("key", "shape", "dtype", "out_sharding"))

import_submodules(sys.modules[__name__])

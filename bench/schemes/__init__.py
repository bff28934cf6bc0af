"""Schemes: the second kind of initializer, which sees the whole network and the data.

A scheme `(params, network, x) -> params` changes parameters that an initializer has drawn: `params` is a nested dict, `network` a
`bench.lane.network.Network`, `x` the training examples (example, input).
"""

import sys

from bench.registry import Registry, import_submodules

scheme = Registry(
    "scheme",
    supplied=("params", "network", "x"),
    needs=("params", "network", "x"),
    contract="a scheme is called as (params, network, x) and returns parameters of the same shapes and dtypes",
)

import_submodules(sys.modules[__name__])

"""Schemes: the second kind of initializer, which sees the whole network and the data.

A scheme `(params, network, x) -> params` changes parameters that an initializer has drawn: `params` is a nested dict, `network` a
`bench.lane.network.Network`, `x` the training examples (example, input); further arguments are its options. It may also declare

- `y`, the targets of the examples;
- `key`, from which it draws parameters anew: it is then applied before the settings that change what was drawn (`gain`,
  `first_layer_offset`, `zero_fraction`, `zero_layers`) and leaves parameters alone that `layers` gives an initializer of their own.

A scheme that takes no key is applied last, to all parameters. ValueError if it does not fit the network.
"""

import sys

from bench.registry import Registry, import_submodules

scheme = Registry(
    "scheme",
    supplied=("params", "network", "x", "y", "key"),
    needs=("params", "network", "x"),
    contract="a scheme is called as (params, network, x), with y and key if it declares them, and returns parameters of the same "
    "shapes and dtypes",
)

import_submodules(sys.modules[__name__])

"""One lane: pure functions of values without a batch axis.

A lane is one training run as the engine sees it: a cell of the grid, a data seed and an init seed. The engine adds the axis over lanes.
Everything that users read says "training run".
"""

"""Losses that the model itself computes."""

from jaxtyping import Array, Float

from bench.losses import Targets, loss


@loss(threshold=None)
def output(outputs: Float[Array, "example output"], targets: Targets) -> Float[Array, " example"]:
    """The model's first output."""
    return outputs[:, 0]


@loss(threshold=None, players=True)
def players(outputs: Float[Array, "example player"], targets: Targets) -> Float[Array, " example"]:
    """The first player's loss; the model's outputs are the losses of its players."""
    return outputs[:, 0]

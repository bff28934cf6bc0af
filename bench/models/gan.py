"""A generative adversarial network: two players, each with a loss of its own."""

from typing import Literal

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from bench.models import model
from bench.models.activations import Activation, Hidden
from bench.models.mlp import MLP, Widths


@model
class GAN(nnx.Module):
    """Generator and discriminator, both multilayer perceptrons (Goodfellow et al., 2014).

    An example is a real point, followed by a latent one. The discriminator's loss is ln(1 + e^-D(real)) + ln(1 + e^D(G(latent))), the
    generator's ln(1 + e^-D(G(latent))), or with `loss = "minimax"` minus the second term of the discriminator's.
    """

    players = ("discriminator", "generator")

    def __init__(
        self,
        inputs: int,
        outputs: int,
        discriminator_widths: Widths = (32, 32),
        generator_widths: Widths = (32, 32),
        activation: Activation = "relu",
        loss: Literal["non_saturating", "minimax"] = "non_saturating",
        *,
        rngs: nnx.Rngs,
    ) -> None:
        if inputs <= outputs:
            raise ValueError(f"gan: {inputs} inputs for points of {outputs} coordinates; it needs a task with latent ones behind them")
        self.discriminator = MLP(outputs, 1, discriminator_widths, activation, rngs=rngs)
        self.generator = MLP(inputs - outputs, outputs, generator_widths, activation, rngs=rngs)
        self.coordinates = outputs
        self.loss = loss

    def trace(self, x: Float[Array, " input"]) -> tuple[Float[Array, " player"], list[Hidden]]:
        """Return the losses of discriminator and generator, and the hidden layers of both: the real point's and the generated one's."""
        point, generator_hidden = self.generator.trace(x[self.coordinates :])
        real, discriminator_hidden = self.discriminator.trace(x[: self.coordinates])
        fake, _ = self.discriminator.trace(point)
        taken_in = jax.nn.softplus(fake[0])
        generator_loss = jax.nn.softplus(-fake[0]) if self.loss == "non_saturating" else -taken_in
        return jnp.stack([jax.nn.softplus(-real[0]) + taken_in, generator_loss]), discriminator_hidden + generator_hidden

    def generated(self, x: Float[Array, " input"]) -> Float[Array, " coordinate"]:
        """Return the point that the generator makes of an example's latent part."""
        return self.generator.trace(x[self.coordinates :])[0]

    def units(self) -> list[Float[Array, "hidden feature"]]:
        """Return the units of the discriminator's hidden layers, and then of the generator's."""
        return self.discriminator.units() + self.generator.units()

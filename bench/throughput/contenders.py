"""The programs that are timed: this engine, and what a user would write instead, with the same data, models, starts and optimizers.

A contender is a function of a workload's experiment. It compiles and returns a function that trains all lanes to their ends and returns
their final losses.
"""

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from bench.engine.pool import Pool
from bench.hardware import hardware_here, lane_mesh
from bench.keys import order_key
from bench.lane.initial import initial_parameters, parameter_keys
from bench.lane.network import Network
from bench.lane.program import Program
from bench.optimizers import make_optimizer
from bench.registry import Registry
from bench.runs.plan import bare_programs, plan
from bench.runs.this_process import PIECE
from bench.spec import Cell, Experiment, ModelSpec
from bench.throughput.hand_written import hand_written

Train = Callable[[], np.ndarray]

MAP_LANES = 64
"""Lanes that `lax.map` trains at a time."""

contender = Registry("contender", supplied=("experiment",))


@contender
def engine(experiment: Experiment) -> Train:
    """initbench: `initbench.run` without the files."""
    planned = plan(experiment)
    table = planned.lanes
    pools = [Pool(program, lane_mesh()) for program in planned.programs]

    def train() -> np.ndarray:
        losses = []
        for index, (program, pool) in enumerate(zip(planned.programs, pools, strict=True)):
            for piece in table.of_program(index).pieces(PIECE):
                batches = pool.run(table.lanes(program, piece.numbers()), program.log_steps)
                losses += [table.rows(batch)["loss_final"].to_numpy() for batch in batches]
        return np.concatenate(losses)

    return train


@contender
def jit_vmap(experiment: Experiment) -> Train:
    """Plain JAX: `jax.jit(jax.vmap(train))` over all seeds, one compilation per cell."""
    return _plain(experiment, jax.vmap)


@contender
def lax_map(experiment: Experiment) -> Train:
    """Plain JAX: `jax.lax.map` over all seeds, 64 at a time."""
    return _plain(experiment, lambda train: partial(jax.lax.map, train, batch_size=MAP_LANES))


def _plain(experiment: Experiment, over_seeds: Callable[..., Any]) -> Train:
    compiled = [_compiled(experiment, cell, over_seeds) for cell in experiment.cells]
    seeds = jnp.arange(len(experiment.seeds), dtype=jnp.uint32)
    return lambda: np.concatenate([np.asarray(train(seeds)) for train in compiled])


def _compiled(experiment: Experiment, cell: Cell, over_seeds: Callable[..., Any]) -> Callable[..., Any]:
    [program] = bare_programs([cell])
    train = one_run(program, cell)
    return jax.jit(over_seeds(train)).lower(jax.ShapeDtypeStruct((len(experiment.seeds),), jnp.uint32)).compile()


def one_run(program: Program, cell: Cell) -> Callable[[Any], Any]:
    """Return the training of one seed as a user writes it: a scan of gradient steps, without checks, stops or outcomes."""
    settings = cell.settings
    data = jax.tree.map(np.asarray, program.sample(program.tasks[0], 0))
    optimizer = make_optimizer(settings.optimizer.name, settings.optimizer.options, settings.optimizer.rate)
    size, n = settings.training.batch_size, program.n_examples
    network = _as_written(program)

    def loss(params: Any, x: Any, y: Any) -> Any:
        outputs, _ = network.trace(params, x)
        if program.task.loss.name == "mse":
            return jnp.mean(optax.squared_error(outputs, y))
        if outputs.shape[-1] == 1:
            return jnp.mean(optax.sigmoid_binary_cross_entropy(outputs, y))
        return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(outputs, y))

    def update(carried: Any, x: Any, y: Any) -> tuple[Any, Any]:
        params, state = carried
        value, gradients = jax.value_and_grad(loss)(params, x, y)
        updates, state = optimizer.update(gradients, state, params)
        return (optax.apply_updates(params, updates), state), value

    def train(seed: Any) -> Any:
        params = initial_parameters(
            network,
            settings.initializer,
            parameter_keys(network, seed),
            jnp.float32(settings.gain),
            jnp.float32(0),
            jnp.dtype("float32"),
        )
        carried = params, optimizer.init(params)
        if not size:
            carried, _ = jax.lax.scan(lambda held, _: update(held, data.x, data.y), carried, length=settings.training.steps)
        else:

            def epoch(held: Any, number: Any) -> Any:
                order = jax.random.permutation(order_key(seed, 0, number), n)[: n // size * size].reshape(-1, size)
                return jax.lax.scan(lambda inner, batch: update(inner, jnp.asarray(data.x)[batch], jnp.asarray(data.y)[batch]), held, order)

            carried, _ = jax.lax.scan(epoch, carried, jnp.arange(settings.training.steps // (n // size)))
        return loss(carried[0], data.x, data.y)

    return train


def _as_written(program: Program) -> Network:
    """Return the program's network with its examples in front of their features, wherever the engine would put them."""
    return Network(program.cells[0].settings.model, program.task.inputs, program.task.outputs)


@contender(peer="c", workloads=("xor-2-4-1",))
def c(experiment: Experiment) -> Train:
    """C: a program for this network alone, written by hand with a vector of training runs, on all cores."""
    return hand_written(experiment)


@contender(peer="torch")
def torch_loop(experiment: Experiment) -> Train:
    """PyTorch: one run after another, `torch.nn` and `torch.optim` as in its tutorials."""
    torch = _torch()
    cell = experiment.cells[0]
    x, y = _torch_data(cell)
    settings = cell.settings
    outputs = 1 if y.ndim == 2 else 10
    criterion: Any = _torch_criterion(settings.task.options["loss"], outputs)

    def one(seed: int) -> float:
        torch.manual_seed(seed)
        network = _torch_network(cell.settings.model, x.shape[1], outputs)
        for parameter in network.parameters():
            if parameter.ndim > 1:
                torch.nn.init.xavier_normal_(parameter)
            else:
                torch.nn.init.zeros_(parameter)
        kinds = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}
        optimizer = kinds[settings.optimizer.name](network.parameters(), lr=settings.optimizer.rate)
        loss = torch.zeros(())
        for batch in _torch_batches(len(x), settings.training.batch_size, settings.training.steps):
            optimizer.zero_grad()
            loss = criterion(network(x[batch]), y[batch])
            loss.backward()
            optimizer.step()
        return float(loss.detach())

    return lambda: np.array([one(seed) for seed in range(len(experiment.seeds))])


@contender(peer="torch", models=("mlp", "neuron"))
def torch_vmap(experiment: Experiment, width: int = 1024) -> Train:
    """PyTorch: `torch.func.vmap` of `torch.func.grad` over stacked parameters, `width` lanes at a time."""
    torch = _torch()
    from torch.func import grad, vmap

    cell = experiment.cells[0]
    x, y = _torch_data(cell)
    settings = cell.settings
    outputs = 1 if y.ndim == 2 else 10
    criterion: Any = _torch_criterion(settings.task.options["loss"], outputs)
    act, widths = _torch_activation(settings.model), settings.model.options.get("widths", ())
    sizes = [x.shape[1], *widths, outputs]
    rate, adam = settings.optimizer.rate, settings.optimizer.name == "adam"

    def loss(params: list[Any], x: Any, y: Any) -> Any:
        for i in range(0, len(params), 2):
            x = x @ params[i] + params[i + 1]
            x = act(x) if i < len(params) - 2 or not widths else x
        return criterion(x, y)

    gradient = vmap(grad(loss), in_dims=(0, None, None))
    per_lane = vmap(grad(loss), in_dims=(0, 0, 0))

    def block(lanes: int) -> np.ndarray:
        params = []
        for fan_in, fan_out in zip(sizes[:-1], sizes[1:], strict=True):
            params += [torch.randn(lanes, fan_in, fan_out) * (2 / (fan_in + fan_out)) ** 0.5, torch.zeros(lanes, fan_out)]
        first, second = [torch.zeros_like(p) for p in params], [torch.zeros_like(p) for p in params]
        size, n = settings.training.batch_size, len(x)
        order = torch.arange(n).expand(lanes, n)
        for step in range(settings.training.steps):
            if size:
                place = step % (n // size)
                order = torch.rand(lanes, n).argsort(dim=1) if place == 0 else order
                batch = order[:, place * size : (place + 1) * size]
                gradients = per_lane(params, x[batch], y[batch])
            else:
                gradients = gradient(params, x, y)
            for p, g, m, v in zip(params, gradients, first, second, strict=True):
                if adam:
                    m.mul_(0.9).add_(g, alpha=0.1)
                    v.mul_(0.999).addcmul_(g, g, value=0.001)
                    bias = (1 - 0.9 ** (step + 1)), (1 - 0.999 ** (step + 1))
                    p.sub_(rate * (m / bias[0]) / ((v / bias[1]).sqrt() + 1e-8))
                else:
                    p.sub_(g, alpha=rate)
        return vmap(loss, in_dims=(0, None, None))(params, x, y).cpu().numpy()

    lanes = len(experiment.seeds)
    return lambda: np.concatenate([block(min(width, lanes - done)) for done in range(0, lanes, width)])


def _torch() -> Any:
    """Return PyTorch; it uses a GPU if JAX does and PyTorch finds one."""
    import torch

    torch.set_default_device("cuda" if not hardware_here().is_host and torch.cuda.is_available() else "cpu")
    return torch


def torch_memory_bytes() -> int:
    """Return the largest memory so far, in bytes, of PyTorch's GPU; 0 if it has not used one."""
    import torch

    return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0


def _torch_data(cell: Cell) -> tuple[Any, Any]:
    import torch

    [program] = bare_programs([cell])
    data = program.sample(program.tasks[0], 0)
    x, y = torch.tensor(np.asarray(data.x)), torch.tensor(np.asarray(data.y))
    return x, y.long() if y.ndim == 1 else y


def _torch_activation(model: ModelSpec) -> Any:
    import torch

    return {"tanh": torch.nn.Tanh, "relu": torch.nn.ReLU, "sigmoid": torch.nn.Sigmoid}[model.options["activation"]]()


def _torch_network(model: ModelSpec, inputs: int, outputs: int) -> Any:
    """Build the network that a spec names from PyTorch's own layers."""
    import torch

    if model.name == "lstm":
        features = model.options["features"]

        class Network(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.recurrent = torch.nn.LSTM(features, model.options["width"], batch_first=True)
                self.output = torch.nn.Linear(model.options["width"], outputs)

            def forward(self, x: Any) -> Any:
                return self.output(self.recurrent(x.reshape(len(x), -1, features))[0][:, -1])

        return Network()
    layers: list[Any] = []
    if model.name == "cnn":
        side = round(inputs**0.5)
        layers.append(torch.nn.Unflatten(1, (1, side, side)))
        planes = 1
        for channels in model.options["channels"]:
            layers += [torch.nn.Conv2d(planes, channels, 3, padding=1), _torch_activation(model)]
            planes = channels
            if model.options["pool"] and side % 2 == 0:
                layers.append(torch.nn.AvgPool2d(2))
                side //= 2
        return torch.nn.Sequential(*layers, torch.nn.Flatten(), torch.nn.Linear(planes * side**2, outputs))
    widths = model.options.get("widths", ())
    sizes = (inputs, *widths, outputs)
    for fan_in, fan_out in pairwise(sizes):
        layers += [torch.nn.Linear(fan_in, fan_out), _torch_activation(model)]
    return torch.nn.Sequential(*(layers[:-1] if widths else layers))


def _torch_criterion(loss: str, outputs: int) -> Any:
    import torch

    if loss == "mse":
        return torch.nn.functional.mse_loss
    return torch.nn.functional.binary_cross_entropy_with_logits if outputs == 1 else torch.nn.functional.cross_entropy


def _torch_batches(n: int, size: int, steps: int) -> Any:
    import torch

    if not size:
        yield from (slice(None) for _ in range(steps))
        return
    order = torch.arange(n)
    for step in range(steps):
        place = step % (n // size)
        order = torch.randperm(n) if place == 0 else order
        yield order[place * size : (place + 1) * size]


def step_costs(program: Program, cell: Cell) -> dict[str, float]:
    """Return the work of one seed-step: `step_flops` and `step_bytes`.

    Floating-point operations are those of the plain loss and its gradient as XLA counts them; bytes are those that no program can avoid:
    examples are read, parameters and optimizer state are read and written.
    """
    settings = cell.settings
    size = settings.training.batch_size or program.n_examples
    whole = program.sample(program.tasks[0], 0)
    x, y = whole.x[:size], whole.y[:size]
    network = _as_written(program)
    params = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, jnp.float32), network.shapes)
    state = make_optimizer(settings.optimizer.name, settings.optimizer.options, 0.1).init(params)

    def loss(params: Any) -> Any:
        return program.task.loss(network.trace(params, x)[0], y)

    counted = jax.jit(jax.value_and_grad(loss)).lower(params).compile().cost_analysis() or {}
    held = sum(leaf.nbytes for leaf in jax.tree.leaves((params, state)))
    return {"step_flops": float(counted.get("flops", np.nan)), "step_bytes": float(2 * held + x.nbytes + y.nbytes)}

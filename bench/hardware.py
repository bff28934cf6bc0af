"""Facts about devices that the engine depends on, and the mesh over which lanes are sharded."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

AXIS = "device"
OLDEST_FOR_TRITON = 8.0
"""Triton needs at least this compute capability of CUDA, which is Ampere's."""


@dataclass(frozen=True)
class Hardware:
    """Facts about one kind of device. They do not depend on the number of devices, because they shape what is compiled."""

    platform: str
    """The name that JAX gives the platform: cpu, gpu, tpu, ..."""
    is_host: bool
    """Whether the devices are the cores of the host, with its memory."""
    cache_bytes: int
    """Bytes of a core's cache, in which the data, activations and parameters of a block should stay."""
    lanes_factor: int
    """How many times as many lanes as a core of a CPU the device needs at once."""
    pool_bytes: int
    """Bytes set aside for the lanes of a pool on each device."""
    max_blocks: int
    """The largest number of blocks on each device."""
    segments_in_flight: int
    """Segments that the devices are given at once when no lane waits to be started."""
    loops_ask_host: bool
    """Whether every test of a loop's or a branch's condition waits for the host, and is expensive for that reason."""
    matmul_precision: str | None
    """The precision in which matrix products have all bits of their dtype; None if the default has."""
    compiles_triton: bool
    """Whether it compiles Pallas kernels for Triton. Elsewhere Pallas interprets them."""

    @classmethod
    def of(cls, mesh: Mesh) -> "Hardware":
        """Facts about the devices of a mesh."""
        device = mesh.devices.flat[0]
        if device.platform == "cpu":
            return CPU
        # GPUs of other makers have names in place of this number.
        capability = str(getattr(device, "compute_capability", ""))
        is_number = capability.replace(".", "", 1).isdigit()
        compiles_triton = device.platform == "gpu" and is_number and float(capability) >= OLDEST_FOR_TRITON
        return replace(ACCELERATOR, platform=device.platform, compiles_triton=compiles_triton)


CPU = Hardware(
    platform="cpu",
    is_host=True,
    cache_bytes=1 << 20,
    lanes_factor=1,
    pool_bytes=1 << 26,
    max_blocks=256,
    # A CPU device takes no work while it has some: a second segment would make the host wait for the first.
    segments_in_flight=1,
    loops_ask_host=False,
    matmul_precision=None,
    compiles_triton=False,
)
ACCELERATOR = Hardware(
    platform="gpu",
    is_host=False,
    # It has no cache that a block could stay in: times `lanes_factor` this bounds the bytes of a block.
    cache_bytes=1 << 20,
    lanes_factor=1 << 8,
    # Blocks are far wider than on a CPU; few of them keep the device busy while the host reads the results of others.
    pool_bytes=1 << 30,
    max_blocks=8,
    segments_in_flight=2,
    loops_ask_host=True,
    # The default would drop bits of float32.
    matmul_precision="highest",
    compiles_triton=False,
)


def hardware_here() -> Hardware:
    """Facts about the devices that JAX uses by default."""
    return Hardware.of(lane_mesh())


def lane_mesh(devices: list[jax.Device] | None = None) -> Mesh:
    """Put all devices, or the given ones, on one axis, over which lanes are sharded.

    Raises ValueError if the given devices are not of JAX's default backend.
    """
    default = jax.default_backend()
    if devices and devices[0].platform != default:
        raise ValueError(f"devices: '{devices[0].platform}', allowed: '{default}', JAX's default, which JAX_PLATFORMS can change")
    return Mesh(np.array(devices or jax.devices()), (AXIS,))


def host_device() -> jax.Device:
    """Return a core of the host, for long chains of small operations; where JAX was told to leave the host alone, a device of its own."""
    try:
        return jax.local_devices(backend="cpu")[0]
    except RuntimeError:
        return jax.local_devices()[0]


def lane_sharding(mesh: Mesh) -> NamedSharding:
    """Shard the leading axis of arrays over the devices of a mesh."""
    return NamedSharding(mesh, PartitionSpec(AXIS))


@contextmanager
def precision(dtype: str, hardware: Hardware | None = None) -> Iterator[None]:
    """Context in which arrays of this dtype exist and matrix products have all its bits: JAX has neither by default.

    In it keys draw the same numbers whatever the user's settings of JAX's random numbers are. Without `hardware` it is the context of the
    devices that JAX uses by default.
    """
    with (
        jax.enable_x64(dtype == "float64"),
        jax.default_matmul_precision(_matmul_precision(hardware or hardware_here())),
        jax.default_prng_impl("threefry2x32"),
        jax.threefry_partitionable(True),
    ):
        yield


def _matmul_precision(hardware: Hardware) -> str | None:
    """Return the precision that the user has set, otherwise that of the hardware."""
    return getattr(jax.config, "jax_default_matmul_precision", None) or hardware.matmul_precision


def matmul_precision(hardware: Hardware | None = None) -> str:
    """Return the name of the precision of the matrix products in everything that is trained or measured."""
    return str(_matmul_precision(hardware or hardware_here()) or "default")

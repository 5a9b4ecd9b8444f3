"""Weights and photos so small that programs compile in a moment, and what results must satisfy."""

import cv2
import jax
import jax.numpy as jnp
import numpy as np

from jaxblur.config import DEFAULT
from jaxblur.estimator import compiled_program, to_host
from jaxblur.image.size import size_bucket
from jaxblur.inputs import as_config, pad_to_bucket, prepare
from jaxblur.multiscale.in_strips import InStrips
from jaxblur.multiscale.parameters import init_parameters
from jaxblur.multiscale.run import choose_propagation, run_stages
from jaxblur.network.config import ColumnConfig, NetworkConfig
from jaxblur.network.defocus_net import DefocusNet
from jaxblur.network.weights import Weights

# Two columns, one of each stride, and a margin of 11 px: compiles in a fraction of the paper's time.
TINY = NetworkConfig(
    columns=(ColumnConfig(size=9, layers=("conv3",)),),
    depth_column=ColumnConfig(size=23, layers=("conv3", "pool3")),
    width=6,
    hidden=(8,),
)


def make_weights(network=TINY, *, gain=1.0):
    """Random weights of an architecture; a gain on the kernels makes readings differ from place to place."""
    patch = jnp.zeros((1, network.patch_size, network.patch_size, 3))

    @jax.jit
    def init(key):
        variables = DefocusNet(network).init(key, patch, method=DefocusNet.classify_patches)
        return jax.tree.map(lambda leaf: gain * leaf if leaf.ndim > 1 else leaf, variables)

    return Weights(init(jax.random.key(3)), network)


def plain_multiscale(network):
    """Parameters of the fusion before training."""
    return jax.jit(init_parameters, static_argnums=0)(network, jax.random.key(0))


def add_multiscale(weights):
    """The same networks with parameters of the fusion that differ from the plain choices."""
    plain = plain_multiscale(weights.network)
    last = 0.3 * jax.random.normal(jax.random.key(1), plain.guide["kernel_last"].shape)
    parameters = plain.replace(
        guide=plain.guide | {"kernel_last": last},
        scale_weight=jnp.asarray([0.3, -0.5, 0.2, 0.1]),
        extent_weight=jnp.asarray([0.5, 0.0, -0.7]),
        extent=jnp.log(jnp.asarray([2.0, 7.0, 23.0])),
    )
    return Weights(weights.variables, weights.network, {}, parameters)


def estimate_in_strips(
    photo, weights, *, edges=None, config=DEFAULT, tile=64, rows=15, progress=None, workers=1
):
    """The estimate by tiles of 64 px and strips of 15 rows of a photo at most 128 px wide."""
    options = {"progress": progress, "tile": tile, "strip_pixels": 128 * rows, "workers": workers}
    stages = InStrips(weights, photo, as_config(config), **options)
    return run_stages(stages, photo, edges, propagation=choose_propagation(config, weights))


def estimate_in_program(photo, weights, *, edges=None, config=DEFAULT):
    """The estimate by one compiled program, as accelerators run it."""
    photo, given = prepare(photo, edges)
    tiles = size_bucket(*photo.shape[:2])
    program = compiled_program(config, tiles, edges is not None)
    return to_host(program(weights, *pad_to_bucket(photo, given, tiles)), photo.shape[:2])


def photo_like(rng, height, width):
    """uint8 RGB with edges of several strengths."""
    noise = cv2.GaussianBlur(rng.random((height + 8, width + 8, 3)), (0, 0), 2.0)[4:-4, 4:-4]
    noise = (noise - noise.min()) / max(np.ptp(noise), 1e-9)
    return (255 * noise).astype(np.uint8)


def check_contract(result, shape):
    assert result.radius.dtype == result.confidence.dtype == result.sparse_radius.dtype == np.float32
    assert result.edges.dtype == result.depth_edges.dtype == bool
    assert all(isinstance(leaf, np.ndarray) and leaf.shape == shape for leaf in result)
    assert np.isfinite(result.radius).all()
    assert (result.confidence >= 0).all() and (result.confidence <= 1).all()
    assert not (result.depth_edges & ~result.edges).any()
    assert (
        result.read_radius.dtype == result.read_weight.dtype == np.float32 and (result.read_weight >= 0).all()
    )
    np.testing.assert_array_equal(np.isfinite(result.read_radius), result.read_weight > 0)
    pattern = result.edges & ~result.depth_edges
    np.testing.assert_array_equal(np.isfinite(result.sparse_radius), pattern)
    if pattern.any():
        read = result.sparse_radius[pattern]
        assert read.min() >= 0.5 and read.max() <= 6.0
        assert result.radius.min() >= read.min() - 1e-3 and result.radius.max() <= read.max() + 1e-3


def assert_same(got, wanted, atol=1e-5):
    np.testing.assert_array_equal(got.edges, wanted.edges)
    np.testing.assert_array_equal(got.depth_edges, wanted.depth_edges)
    for name in ("radius", "confidence", "sparse_radius", "read_radius", "read_weight"):
        np.testing.assert_allclose(getattr(got, name), getattr(wanted, name), atol=atol)


def assert_identical(got, wanted):
    for name, one, other in zip(got._fields, got, wanted, strict=True):
        np.testing.assert_array_equal(one, other, err_msg=name)

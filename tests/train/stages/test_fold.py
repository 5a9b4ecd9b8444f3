import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from jaxblur.network.config import NetworkConfig
from jaxblur.network.defocus_net import DefocusNet
from train.stages.fold import fold_batch_norm

NETWORK = NetworkConfig(width=8, hidden=(12, 10), normalisation="batch", level_head="ordinal")


def trained(network, rng):
    """Variables whose statistics and affine parameters are far from 0 and 1."""
    patch = jnp.zeros((1, 41, 41, 3))
    variables = DefocusNet(network).init(jax.random.key(0), patch, method=DefocusNet.classify_patches)
    return jax.tree.map(
        lambda leaf: leaf + jnp.asarray(rng.uniform(0.1, 0.5, leaf.shape), leaf.dtype), variables
    )


def test_folded_weights_compute_the_same(rng):
    variables = trained(NETWORK, rng)
    patches = jnp.asarray(rng.random((3, 41, 41, 3)), jnp.float32)
    expected = DefocusNet(NETWORK).apply(variables, patches, method=DefocusNet.classify_patches)
    params, network = fold_batch_norm(variables["params"], variables["batch_stats"], NETWORK)
    assert network == dataclasses.replace(NETWORK, normalisation="bias")
    got = DefocusNet(network).apply({"params": params}, patches, method=DefocusNet.classify_patches)
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4 * float(jnp.abs(other).max()))


def test_one_stage_alone_can_be_folded(rng):
    variables = trained(NETWORK, rng)
    part = {kind: {name: variables[kind][name] for name in ("f1", "b")} for kind in ("params", "batch_stats")}
    params, _ = fold_batch_norm(part["params"], part["batch_stats"], NETWORK)
    assert set(params) == {"f1", "b"}
    assert set(params["b"]["classification"]) == {"dense_0", "dense_1", "dense_2"}


def test_without_batch_normalisation_nothing_changes(rng):
    network = dataclasses.replace(NETWORK, normalisation="none")
    params = {"f1": {"x": jnp.ones(3)}}
    assert fold_batch_norm(params, {}, network) == (params, network)

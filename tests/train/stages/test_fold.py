import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np

from jaxblur.network.config import NetworkConfig
from jaxblur.network.defocus_net import DefocusNet
from train.stages.fold import fold_batch_norm
from train.stages.forward import init_variables

NETWORK = NetworkConfig(width=4, hidden=(6, 5), normalisation="batch", level_head="ordinal")


@functools.partial(jax.jit, static_argnums=0)
def classify(network, variables, patches):
    return DefocusNet(network).apply(variables, patches, method=DefocusNet.classify_patches)


def trained(network, rng):
    """Variables whose statistics and affine parameters are far from 0 and 1."""
    variables = init_variables(jax.random.key(0), network)
    return jax.tree.map(
        lambda leaf: leaf + jnp.asarray(rng.uniform(0.1, 0.5, leaf.shape), leaf.dtype), variables
    )


def test_folded_weights_compute_the_same(rng):
    variables = trained(NETWORK, rng)
    patches = jnp.asarray(rng.random((3, 41, 41, 3)), jnp.float32)
    expected = classify(NETWORK, variables, patches)
    params, network = fold_batch_norm(variables["params"], variables["batch_stats"], NETWORK)
    assert network == dataclasses.replace(NETWORK, normalisation="bias")
    got = classify(network, {"params": params}, patches)
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

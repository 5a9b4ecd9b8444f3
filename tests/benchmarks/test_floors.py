import dataclasses
import json
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import jaxprs_in_params

from benchmarks import floors
from jaxblur import DEFAULT, PUBLISHED
from jaxblur.image.pyramid import halve_edges
from jaxblur.multiscale.parameters import init_parameters
from jaxblur.network import pointwise
from jaxblur.network.config import ColumnConfig, NetworkConfig, parse_layer
from jaxblur.network.convolution import plain_convolutions
from jaxblur.network.defocus_net import DefocusNet
from jaxblur.network.weights import Weights, published_network

COLUMN = ColumnConfig(size=9, layers=("conv3", "conv1"))
POOLED = ColumnConfig(size=27, layers=("conv3", "conv3", "conv3", "pool3", "conv1"))
SMALL = NetworkConfig(columns=(COLUMN,), depth_column=COLUMN, width=1, hidden=(), levels=(0.5, 1.0, 1.5))
MIXED = NetworkConfig(
    columns=(POOLED, COLUMN, dataclasses.replace(COLUMN, shift=1)),
    depth_column=ColumnConfig(size=23, layers=("conv3", "pool3", "conv1")),
    width=5,
    trunk=("conv3", "conv1", "conv3", "conv3"),
    hidden=(6,),
    level_head="ordinal",
    normalisation="bias",
)
STEM = NetworkConfig(
    stem=("conv4:3", "conv3"),
    step=2,
    patch=30,
    columns=(
        ColumnConfig(size=12, layers=("pool2", "conv3:6")),
        ColumnConfig(size=10, layers=("conv3", "conv3:7", "conv3")),
    ),
    depth_column=None,
    width=4,
    trunk=("conv3:5", "conv2:8"),
    hidden=(6,),
    level_head="ordinal",
    normalisation="bias",
)


def products_in(jaxpr: Any) -> int:
    """Multiply-adds of all convolutions and matrix products of a traced function."""
    total = 0
    for equation in jaxpr.eqns:
        out = equation.outvars[0].aval
        if equation.primitive.name == "conv_general_dilated":
            assert equation.params["feature_group_count"] == 1
            total += out.size * math.prod(equation.invars[1].aval.shape[:3])  # HWIO
        elif equation.primitive.name == "dot_general":
            (contracted, _), _ = equation.params["dimension_numbers"]
            total += out.size * math.prod(equation.invars[0].aval.shape[axis] for axis in contracted)
        else:
            assert equation.primitive.name not in (
                "scan",
                "while",
                "cond",
            )  # whose rounds would not be counted
        total += sum(products_in(inner) for inner in jaxprs_in_params(equation.params))
    return total


def traced(function: Any, *arguments: Any) -> int:
    with plain_convolutions():
        return products_in(jax.make_jaxpr(function)(*arguments).jaxpr)


@pytest.mark.parametrize("network", [SMALL, MIXED, STEM, NetworkConfig(), published_network()])
def test_arithmetic_is_that_of_the_traced_networks(network):
    net, side = DefocusNet(network), network.patch_size
    patch = jax.ShapeDtypeStruct((1, side, side, 3), jnp.float32)
    variables = jax.eval_shape(
        lambda x: net.init(jax.random.key(0), x, method=DefocusNet.classify_patches), patch
    )

    def run(method: Any) -> Any:
        return lambda variables, *arguments: net.apply(variables, *arguments, method=method)

    height, width = 6 * network.step, 9 * network.step
    padded = jax.ShapeDtypeStruct((height + 2 * network.margin, width + 2 * network.margin, 3), jnp.float32)
    reads = pointwise.read_side(network)
    projected = parse_layer(network.trunk[0]).width or network.width
    read = jax.ShapeDtypeStruct((1, reads, reads, projected), jnp.float32)
    maps = traced(
        lambda variables, padded: pointwise.image_maps(variables, network, padded), variables, padded
    )
    blur = traced(run(DefocusNet.blur_logits), variables, read)
    depth = traced(run(DefocusNet.depth_logits), variables, read)
    patchwise = traced(run(DefocusNet.classify_patches), variables, patch)
    counted = floors.operations(network, height, width)
    assert counted == (2 * maps, 2 * (blur + depth), 2 * patchwise)

    counts = floors.multiply_adds(network)
    assert counts["per_point"] == {"b-NET": blur, "e-NET": depth}
    assert counts["per_point_patchwise"] == patchwise
    # Far from the border, the maps of an image grow by as much as its pixels are more.
    step = network.step
    both, one_side, none = (
        floors.operations(network, h * step, w * step)[0] for h, w in ((8, 8), (8, 7), (7, 7))
    )
    assert sum(counts["per_pixel"].values()) == pytest.approx(
        (both - 2 * one_side + none) / 2 / step**2, abs=len(counts["per_pixel"]) - 1
    )


def test_the_command_prints_and_writes_the_counts(tmp_path, capsys):
    floors.main(floors.Options(json=tmp_path / "counts.json"))
    counts = json.loads((tmp_path / "counts.json").read_text())
    printed = capsys.readouterr().out
    for number in (
        sum(counts["per_pixel"].values()),
        sum(counts["per_point"].values()),
        counts["break_even"],
    ):
        assert f"{number:,d}" in printed


def test_break_even():
    counts = floors.multiply_adds(SMALL, tile=64)
    maps, heads, patch = floors.operations(SMALL, 64, 64)
    assert counts["per_pixel_of_tile"] == maps / 2 / 64**2
    few = counts["break_even"]
    assert few * patch <= maps + few * heads < maps + (few + 1) * heads < (few + 1) * patch


def test_bytes_of_the_filter():
    assert floors.filter_bytes(2, 3, channels=1, iterations=5) == 4 * 5 * (2 + 1) * 4 * 6


def test_arithmetic_of_a_column_and_a_head():
    assert floors.column_operations(SMALL, COLUMN, 9, 9, stride_one=False) == [2 * 9 * 3 * 49, 2 * 49]
    pooled = floors.column_operations(SMALL, POOLED, 27, 27, stride_one=False)
    assert pooled == [2 * 9 * 3 * 25**2, 2 * 9 * 23**2, 2 * 9 * 21**2, 2 * 7**2]
    assert floors.head_operations(SMALL, 5) == 2 * 9 * 9 + 2 * 9 + 2 + 2 * 5


def test_dense_form_of_one_point_is_the_patch_where_nothing_is_pooled():
    maps, heads, patch = floors.operations(SMALL, 1, 1)
    assert maps + heads == patch
    assert floors.operations(SMALL, 10, 10)[0] < 100 * maps  # points share what they read


def test_tiles_without_edges_cost_nothing():
    edges = np.zeros((64, 640), bool)
    assert floors.reading_operations(SMALL, [edges]) == 0
    edges[5, :3] = True
    maps, head, _ = floors.operations(SMALL, 64, 640)
    assert floors.reading_operations(SMALL, [edges], tile=320) == maps / 2 + 3 * head
    assert floors.reading_operations(SMALL, [edges, edges], tile=320) == maps + 6 * head
    assert floors.reading_operations(SMALL, [edges], tile=64) == round(maps / 10) + 3 * head


def test_arithmetic_of_a_training_step():
    first, second = floors.dense_column(SMALL, COLUMN, 8, 8)
    reads = floors.projection(SMALL, COLUMN, 8, 8)
    blur = 2 * (2 * first + 3 * second + 3 * reads) + 3 * 7 * floors.head_operations(SMALL, 3)
    dense = {"side": 8, "points": 7, "patchwise": False}
    assert floors.training_operations(SMALL, "blur", views=2, **dense) == blur
    edges = (2 * first + 3 * second + 3 * reads) + (first + second + 2 * reads)
    edges += 3 * 7 * floors.head_operations(SMALL, 2)
    assert floors.training_operations(SMALL, "edges", views=1, **dense) == edges


def test_arithmetic_of_a_training_step_on_patches():
    three = 3 * 5 * floors.head_operations(SMALL, 3)
    one, two = (
        floors.training_operations(SMALL, "blur", views=views, side=8, points=5, patchwise=True) - three
        for views in (1, 2)
    )
    assert one == two  # views cost nothing
    first, *rest = floors.column_operations(SMALL, COLUMN, COLUMN.size, COLUMN.size, stride_one=False)
    assert one == 5 * (2 * first + 3 * sum(rest) + 3 * 2 * 9 * SMALL.width**2 * 25)


def test_given_edges_are_halved_with_the_photo(rng, key):
    photo, edges = rng.integers(0, 256, (100, 99, 3), np.uint8), rng.random((100, 99)) < 0.1
    shapes = jax.eval_shape(lambda: init_parameters(SMALL, key))
    weights = Weights({}, SMALL, multiscale=shapes)
    maps = floors.edges_of_scales(photo, weights, DEFAULT, edges=edges)
    assert len(maps) == 2
    np.testing.assert_array_equal(maps[0], edges)
    np.testing.assert_array_equal(maps[1], halve_edges(edges))
    assert len(floors.edges_of_scales(photo, weights, PUBLISHED, edges=edges)) == 1
    assert len(floors.edges_of_scales(photo, Weights({}, SMALL), DEFAULT, edges=edges)) == 1

from types import SimpleNamespace

import numpy as np

from benchmarks import floors
from jaxblur import DEFAULT, PUBLISHED
from jaxblur.image.pyramid import halve_edges
from jaxblur.network.config import ColumnConfig, NetworkConfig

COLUMN = ColumnConfig(size=9, layers=("conv3", "conv1"))
POOLED = ColumnConfig(size=27, layers=("conv3", "conv3", "conv3", "pool3", "conv1"))
SMALL = NetworkConfig(columns=(COLUMN,), depth_column=COLUMN, width=1, hidden=(), levels=(0.5, 1.0, 1.5))


def test_bytes_of_the_filter():
    assert floors.filter_bytes(2, 3, channels=1, iterations=5) == 4 * 5 * (2 + 1) * 4 * 6


def test_arithmetic_of_a_column_and_a_head():
    assert floors.column_operations(COLUMN, 1, 9, 9, stride_one=False) == [2 * 9 * 3 * 49, 2 * 49]
    pooled = floors.column_operations(POOLED, 1, 27, 27, stride_one=False)
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
    assert floors.reading_operations(SMALL, [edges]) == maps / 2 + 3 * head
    assert floors.reading_operations(SMALL, [edges, edges]) == maps + 6 * head
    assert floors.reading_operations(SMALL, [edges], max_tile=64) == round(maps / 10) + 3 * head


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
    first, *rest = floors.column_operations(COLUMN, SMALL.width, COLUMN.size, COLUMN.size, stride_one=False)
    assert one == 5 * (2 * first + 3 * sum(rest) + 3 * 2 * 9 * SMALL.width**2 * 25)


def test_given_edges_are_halved_with_the_photo(rng):
    photo, edges = rng.integers(0, 256, (100, 99, 3), np.uint8), rng.random((100, 99)) < 0.1
    weights = SimpleNamespace(network=NetworkConfig(pyramid=True))
    maps = floors.edges_of_scales(photo, weights, DEFAULT, edges=edges)
    assert len(maps) == 2
    np.testing.assert_array_equal(maps[0], edges)
    np.testing.assert_array_equal(maps[1], halve_edges(edges))
    assert len(floors.edges_of_scales(photo, weights, PUBLISHED, edges=edges)) == 1

"""What `estimate` is passed, drawn at random: the result is that of the plain array of the same values, or one line.

Every array lies in memory in one of many ways, and holds every kind of number.
"""

import os

import cv2
import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from jaxblur import estimator
from jaxblur.edges.canny import detect_edges
from jaxblur.inputs import as_bytes, prepare
from tests.jaxblur.tiny import assert_identical, check_contract, photo_like

try_many = settings(max_examples=300, deadline=None, database=None, derandomize=True)
try_few = settings(try_many, max_examples=25)

pytestmark = pytest.mark.usefixtures("unchecked_module")
SHAPES = ((5, 7), (5, 7, 1), (5, 7, 3))  # programs are compiled for these alone
WRONG_SHAPES = ((), (7,), (5, 7, 2), (5, 7, 4), (1, 5, 7, 3), (0, 7, 3), (5, 0), (5, 7, 0))
FLOATS = ("float16", "float32", "float64", "longdouble")
WRONG_TYPES = tuple("bool int8 int16 int32 int64 uint32 uint64 complex64 complex128 U3 O".split())


@pytest.fixture(scope="module")
def unchecked_module():
    """As `unchecked`, once for all: Hypothesis takes no fixture that it would have to make anew for every example."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def _with_gaps(array):
    if not array.size:
        return array
    big = np.full([3 * side + 4 for side in array.shape], array.flat[0], array.dtype)
    inner = (*[slice(2, 2 + 3 * side, 3) for side in array.shape], ...)
    big[inner] = array
    return big[inner]


def _unaligned(array):
    if array.dtype.hasobject:
        return array
    content = np.frombuffer(b"x" + array.tobytes(), np.uint8)[1:]
    return content.view(array.dtype).reshape(array.shape)


def _read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def _backwards(array):
    turned = (*[slice(None, None, -1)] * array.ndim, ...)
    return array[turned].copy()[turned]


class _Foreign:
    """An object of another library, which can become an array."""

    def __init__(self, array):
        self._array = array

    def __array__(self, dtype=None, copy=None):
        return self._array


WAYS = {
    "as it is": lambda array: array,
    "Fortran order": lambda array: array.copy(order="F"),
    "transposed": lambda array: array.T.copy(order="C").T,
    "backwards": _backwards,
    "with gaps": _with_gaps,
    "unaligned": _unaligned,
    "read-only": _read_only,
    "big-endian": lambda array: array.astype(array.dtype.newbyteorder(">")),
    "no mask": np.ma.masked_array,
    "foreign": _Foreign,
}
ways = st.sampled_from(sorted(WAYS)).map(WAYS.get)


def _floats(dtype):
    kind = np.dtype("float64" if dtype == "longdouble" else dtype)
    width = 8 * kind.itemsize
    tiny = float(np.finfo(kind).smallest_subnormal)
    special = st.sampled_from(
        [0.0, -0.0, 1.0, tiny, -tiny, 1 + float(np.finfo(kind).eps), float("nan"), float("inf")]
    )
    return st.floats(0, 1, width=width), special | st.floats(width=width)


@st.composite
def images(draw, shapes=SHAPES):
    """An image that is as it must be in most respects: its numbers may not be, where it holds floats."""
    shape = draw(st.sampled_from(shapes))
    dtype = draw(st.sampled_from(("uint8", "uint16", *FLOATS)))
    if dtype not in FLOATS:
        return draw(hnp.arrays(dtype, shape))
    good, any_kind = _floats(dtype)
    array = draw(hnp.arrays("float64" if dtype == "longdouble" else dtype, shape, elements=good))
    for place in draw(st.lists(st.integers(0, array.size - 1), max_size=2)):
        array.flat[place] = draw(any_kind)
    if draw(st.booleans()):  # the same row everywhere, at the same place in memory
        array = np.broadcast_to(array[:1], array.shape)
    return array.astype(dtype) if dtype == "longdouble" else array


def outcome(function, *arguments):
    """What a call gives, as bytes; or its error, which is one line that names the argument."""
    try:
        made = function(*arguments)
    except (TypeError, ValueError) as error:
        text = str(error)
        assert text.isprintable() and text.split()[0].rstrip(":") in ("image", "edges"), text
        return type(error), text
    return [(str(leaf.dtype), leaf.shape, leaf.tobytes()) for leaf in map(np.asarray, jax.tree.leaves(made))]


def is_photo(array):
    """Whether the numbers are those of a photo."""
    return array.dtype.kind == "u" or bool(np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1)


@pytest.mark.filterwarnings("ignore:image. its values:UserWarning")
@try_many
@given(images(), ways)
def test_a_photo_is_the_same_however_it_lies_in_memory(array, way):
    plain = np.array(array, order="C")
    made = outcome(prepare, way(array), None)
    assert made == outcome(prepare, plain, None)
    assert isinstance(made, list) == is_photo(plain)
    if is_photo(plain):
        values = plain if plain.dtype.kind == "u" else plain.astype(np.float32)
        rgb = np.broadcast_to(values.reshape(5, 7, -1), (5, 7, 3))
        np.testing.assert_array_equal(prepare(way(array), None)[0], rgb)
    else:
        assert made[0] is ValueError and "finite and within [0, 1]" in made[1]


@try_many
@given(st.sampled_from(SHAPES + WRONG_SHAPES), st.sampled_from(("uint8", *FLOATS, *WRONG_TYPES)), ways)
def test_other_shapes_and_types_are_refused(shape, dtype, way):
    array = np.zeros(shape, dtype)
    made = outcome(prepare, way(array), None)
    if dtype in WRONG_TYPES:
        assert made[0] is TypeError and "must be uint8, uint16 or floating-point" in made[1]
    elif shape in WRONG_SHAPES:
        assert made[0] is ValueError and str(shape) in made[1]
    else:
        assert isinstance(made, list)
    assert made == outcome(prepare, array, None)


@try_many
@given(
    hnp.arrays(bool, st.sampled_from([(5, 7), (7, 5), (5, 7, 1), (5,), (), (0, 7)])),
    st.sampled_from(["bool", "uint8", "float32", "O"]),
    ways,
)
def test_an_edge_map_is_the_same_however_it_lies_in_memory(edges, dtype, way):
    photo, edges = np.zeros((5, 7, 3), np.uint8), edges.astype(dtype)
    made = outcome(prepare, photo, way(edges))
    assert made == outcome(prepare, photo, edges)
    if dtype != "bool":
        assert made == (TypeError, f"edges must be bool, got {edges.dtype}")
    elif edges.shape != (5, 7):
        assert made[0] is ValueError and made[1].endswith(f"(5, 7), got {edges.shape}")
    else:
        np.testing.assert_array_equal(prepare(photo, way(edges))[1], edges)


@pytest.mark.filterwarnings("ignore:image. its values:UserWarning")
@settings(try_many, max_examples=80)
@given(images(), ways)
def test_edges_are_the_same_however_a_photo_lies_in_memory(array, way):
    assert outcome(detect_edges, way(array)) == outcome(detect_edges, np.array(array, order="C"))


@try_few
@given(
    seed=st.integers(0, 99),
    dtype=st.sampled_from(["uint8", "uint16", "float32", "float64"]),
    way=ways,
    data=st.data(),
)
def test_an_estimate_is_the_same_however_a_photo_lies_in_memory(seed, dtype, way, data, weights):
    rng = np.random.default_rng(seed)
    scale = {"uint8": 1.0, "uint16": 257.0}.get(dtype, 1 / 255)
    photo, edges = (photo_like(rng, 20, 30) * scale).astype(dtype), rng.random((20, 30)) < 0.2
    other = data.draw(ways)
    got = estimator.estimate(way(photo), weights, edges=other(edges))
    assert_identical(got, estimator.estimate(photo, weights, edges=edges))
    check_contract(got, (20, 30))


@try_few
@given(seed=st.integers(0, 99), power=st.integers(-149, 0), fused=st.booleans())
def test_contrast_however_low_makes_no_nan(seed, power, fused, weights, multiscale_weights):
    """Down to the least number above 0 that float32 has: squares and quotients of it are none."""
    pattern = photo_like(np.random.default_rng(seed), 20, 30) / np.float32(255)
    photo = (pattern * np.float64(2.0) ** power).astype(np.float32)
    result = estimator.estimate(photo, multiscale_weights if fused else weights)
    assert np.isfinite(result.radius).all() and np.isfinite(result.confidence).all()
    assert np.isnan(result.sparse_radius[~result.edges]).all()
    assert np.isfinite(result.sparse_radius[result.edges & ~result.depth_edges]).all()


class _Broken:
    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("the values are on another device\nand this is a second line")


PHOTO = np.zeros((5, 7, 3), np.uint8)


@pytest.mark.parametrize("name", ["image", "edges"])
@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (
            np.ma.masked_array(np.zeros((5, 7), bool), np.eye(5, 7)),
            ValueError,
            "must have no masked values, got 5",
        ),
        (_Broken(), TypeError, "cannot be read as a NumPy array: the values are on another device"),
        (jax.random.key(0), TypeError, "cannot be read as a NumPy array: JAX array with PRNGKey"),
    ],
    ids=["masked", "broken", "key"],
)
def test_what_is_no_plain_array_is_refused(name, value, error, message):
    with pytest.raises(error, match=f"^{name} {message}") as caught:
        prepare(**{"image": PHOTO, "edges": None, name: value})
    assert str(caught.value).isprintable()


def test_lists_of_unequal_length_are_no_edge_map():
    with pytest.raises(TypeError, match="^edges cannot be read as a NumPy array: "):
        prepare(PHOTO, [[True], [True, False]])


@pytest.mark.parametrize("name", ["image", "edges"])
def test_traced_values_are_told_where_to_go(name, weights):
    def traced(value):
        return estimator.estimate(**{"image": PHOTO, "weights": weights, name: value}).radius

    value = jnp.zeros((5, 7), bool if name == "edges" else jnp.float32)
    with pytest.raises(
        TypeError, match=rf"^{name} must hold values, got \w+\[5,7\] .*estimate_padded works under"
    ):
        jax.jit(traced)(value)


file_names = st.one_of(
    st.text(st.characters(exclude_characters="/\0", exclude_categories=("Cs",)), min_size=1, max_size=40),
    st.sampled_from(
        ["-", "--help.png", " ", "a b.jpg", "new\nline", "ü", "写真", "x" * 255, "a'\"`$(b)", ".jpg", "%s{}"]
    ),
).filter(lambda name: name not in (".", "..") and len(os.fsencode(name)) <= 255)


@settings(try_many, max_examples=80)
@given(name=file_names, absolute=st.booleans())
def test_a_file_of_any_name_is_the_array_that_it_holds(name, absolute, tmp_path_factory):
    folder, before = tmp_path_factory.mktemp("names"), os.getcwd()
    photo = photo_like(np.random.default_rng(0), 5, 7)
    (folder / name).write_bytes(cv2.imencode(".png", photo[..., ::-1])[1].tobytes())
    try:
        os.chdir(folder)
        path = folder / name if absolute else name
        np.testing.assert_array_equal(prepare(path, None)[0], photo)
    finally:
        os.chdir(before)


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("a\0b.png", ValueError),
        ("x" * 300, OSError),
        ("y/" * 3000, OSError),
        ("", ValueError),
        ("a\nb", OSError),
    ],
    ids=["null", "long name", "long path", "empty", "line break"],
)
def test_names_that_no_file_can_have_are_refused_in_one_line(path, error, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error) as caught:
        prepare(path, None)
    assert str(caught.value).isprintable() and (path[:100].encode("unicode_escape").decode() or ".") in str(
        caught.value
    )


def test_memory_that_is_no_number_is_refused():
    with pytest.raises(TypeError, match='max_memory must be bytes, a size such as "4GB", or None, got list'):
        as_bytes([4])
    assert as_bytes(np.float32(1e9)) == as_bytes("1GB") == 1e9

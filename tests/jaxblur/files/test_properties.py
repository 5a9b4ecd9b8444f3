"""What holds for any name, any picture and any edge map, tried on drawn ones."""

import contextlib
import os
import struct
import tempfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from jaxblur.files import images, kinds, levels, names, output
from jaxblur.files.table import Row, Summary
from jaxblur.runtime import memory

try_many = settings(max_examples=80, deadline=None, database=None, derandomize=True)

# Bytes of which a file name may consist, also those that are no UTF-8.
file_names = (
    st.one_of(
        st.text(min_size=1, max_size=40).map(lambda text: text.encode("utf-8", "ignore")),
        st.binary(min_size=1),
    )
    .map(lambda name: name.replace(b"/", b"_").replace(b"\0", b"_")[:200])
    .filter(lambda name: name not in (b"", b".", b".."))
    .map(os.fsdecode)
)
sides = st.integers(1, 40)
pictures = st.tuples(sides, sides, st.sampled_from([np.uint8, np.uint16])).flatmap(
    lambda drawn: hnp.arrays(drawn[2], (drawn[0], drawn[1], 3))
)
SIGNATURES = [
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"II*\0",
    b"MM\0*",
    b"II+\0\x08\0\0\0",
    b"RIFF\xff\0\0\0WEBPVP8X",
    b"BM" + bytes(12) + b"\x28\0\0\0",
    b"\0\0\0\x1cftypavif",
    b"\0\0\0\x1cftypheic",
    b"",
]


@contextlib.contextmanager
def new_folder():
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@try_many
@given(file_names, st.sampled_from(["", "text", "missing"]))
def test_what_is_wrong_with_a_file_is_one_line_with_its_path(name, content):
    with new_folder() as folder:
        path = folder / name
        if content != "missing":
            path.write_bytes(content.encode())
        with pytest.raises((ValueError, OSError)) as caught:
            images.read_image(path)
        if content != "missing":
            text = str(caught.value)
            assert text.startswith(f"{names.shown(path)}: ") and text.isprintable()


@try_many
@given(file_names)
def test_names_are_shown_on_one_line_and_what_can_be_printed_as_it_is(name):
    text = names.shown(name)
    assert text.isprintable() and text.encode()
    assert text == name or not name.isprintable()


@try_many
@given(st.lists(file_names, min_size=1, max_size=6, unique=True))
def test_every_photo_has_its_row_and_a_name_that_no_other_has(photos):
    with new_folder() as folder:
        kept = {}
        for name in photos:
            summary, photo = Summary(folder), f"/photos/{name}"
            try:
                summary.check_free(name, photo)
            except ValueError as error:
                assert any(names.same_file_key(name) == names.same_file_key(other) for other in kept.values())
                assert str(error).isprintable()
                continue
            with output.atomic_file(folder / f"{name}.npz") as file:
                file.write(photo.encode(errors="surrogateescape"))
            summary.keep(Row(photo=photo, name=name))
            kept[photo] = name
        again = Summary(folder)
        for photo, name in kept.items():
            again.check_free(name, photo)
            assert (folder / f"{name}.npz").read_bytes() == photo.encode(errors="surrogateescape")
            with pytest.raises(ValueError, match="name another --output"):
                again.check_free(name, "/elsewhere")


@try_many
@given(file_names)
def test_names_that_differ_in_case_may_be_the_same_file(name):
    assert names.same_file_key(name.upper()) == names.same_file_key(name.upper().casefold())


@try_many
@given(pictures, st.sampled_from([".png", ".tiff"]))
def test_any_picture_is_read_as_it_was_written(picture, suffix):
    with new_folder() as folder:
        output.write_image(folder / f"a{suffix}", picture)
        image = images.read_image(folder / f"a{suffix}")
        assert image.dtype == picture.dtype
        np.testing.assert_array_equal(image, picture)


@try_many
@given(hnp.arrays(np.float32, st.tuples(sides, sides), elements=st.floats(width=32)))
def test_float_pictures_are_read_exactly_or_refused(picture):
    with new_folder() as folder:
        path = folder / "a.tiff"
        output.write_image(path, picture)
        if np.isfinite(picture).all() and picture.min() >= 0 and picture.max() <= 1:
            np.testing.assert_array_equal(images.read_image(path)[..., 1], picture)
        else:
            with pytest.raises(ValueError, match="NaN or infinite|values from"):
                images.read_image(path)


@try_many
@given(hnp.arrays(bool, st.tuples(sides, sides)), st.integers(1, 255), st.data())
def test_edge_maps_of_two_values_are_read_and_others_refused(edges, on, data):
    with new_folder() as folder:
        path = folder / "edges.png"
        values = (edges * on).astype(np.uint8)
        path.write_bytes(cv2.imencode(".png", values)[1].tobytes())
        np.testing.assert_array_equal(images.read_edges(path, edges.shape), edges)
        with pytest.raises(ValueError, match="the edge map is"):
            images.read_edges(path, (edges.shape[0] + 1, edges.shape[1]))
        other = data.draw(st.integers(1, 255).filter(lambda value: value != on))
        if edges.sum() >= 2:
            values[tuple(np.argwhere(edges)[0])] = other
            path.write_bytes(cv2.imencode(".png", values)[1].tobytes())
            with pytest.raises(ValueError, match="two values"):
                images.read_edges(path, edges.shape)


@settings(try_many, max_examples=300)
@given(st.sampled_from(SIGNATURES), st.binary(max_size=300))
def test_any_bytes_are_refused_with_one_line(signature, tail):
    with new_folder() as folder:
        path = folder / "a.jpg"
        path.write_bytes(signature + tail)
        with pytest.raises(ValueError) as caught:
            images.read_image(path)
        assert str(caught.value).startswith(f"{path}: ") and str(caught.value).isprintable()


@try_many
@given(st.binary(max_size=kinds.HEAD))
def test_any_head_has_a_known_kind_or_none(head):
    assert kinds.kind_of("a", head) in (None, *kinds.READ, *kinds.REFUSED)


@try_many
@given(pictures, st.floats(-1e5, 1e5), st.floats(1e-3, 1e5))
def test_stretching_keeps_the_order_and_reaches_both_ends(picture, black, width):
    made = levels.stretch(picture, (black, black + width))
    assert made.dtype == np.uint16 and made.shape == picture.shape
    order = np.argsort(picture, axis=None)
    assert (np.diff(made.ravel()[order].astype(int)) >= 0).all()
    assert (made[picture <= black] == 0).all() and (made[picture >= black + width] == 65535).all()
    low, high = levels.used_range(picture)
    assert picture.min() <= low <= high <= picture.max()


@try_many
@given(
    hnp.arrays(np.float32, (5, 7), elements=st.floats(0, 1, width=32)),
    st.lists(
        st.sampled_from([0, 5e-324, 1e-300, 1e-45, 1e-38, 0.5, 1, 1e38, 1.7e308]), min_size=2, max_size=2
    ),
    st.sampled_from([(1, 1), (-1, 1), (-1, -1)]),
)
def test_levels_however_far_apart_or_close_make_no_nan(picture, sizes, signs):
    black, white = sorted(size * sign for size, sign in zip(sizes, signs, strict=True))
    if black == white:
        return
    made = levels.stretch(picture, (black, white))
    assert made.dtype == np.float32 and (made >= 0).all() and (made <= 1).all()
    values = picture.astype(np.float64)
    assert (made[values <= black] == 0).all() and (made[values >= white] == 1).all()
    counts = (picture * 255).astype(np.uint8)
    made = levels.stretch(counts, (black, white))
    assert (made[counts <= black] == 0).all() and (made[counts >= white] == 65535).all()


@try_many
@given(st.floats(1, 1e12))
def test_sizes_are_read_as_they_are_shown(size):
    assert size <= memory.parse_size(memory.format_size(size)) <= 1.11 * size + 2e6


@try_many
@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.binary(max_size=60))
def test_a_png_that_declares_any_size_is_refused_unless_it_has_it(width, height, rows):
    from tests.fuzz.seeds import png

    with new_folder() as folder:
        path = folder / "a.png"
        path.write_bytes(png(struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0), rows))
        try:
            assert images.read_image(path).shape == (height, width, 3)
        except ValueError as error:
            assert str(error).startswith(f"{path}: this PNG ")

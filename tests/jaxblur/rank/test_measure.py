"""The sharpness of a photo and of its objects from a budget of points."""

import numpy as np
import pytest

from jaxblur.rank import measure
from tests.jaxblur.tiny import photo_like

pytestmark = pytest.mark.usefixtures("unchecked")


@pytest.fixture
def radii(monkeypatch):
    """In place of the networks: a point of the left half reads 0.3 px, others 5 px; how many were read."""
    seen = []

    def cut(photo, points, weights):
        return [photo.shape, points]

    def read(views, weights, *, precision, run):
        shape, points = views
        seen.append(len(points.rows))
        return np.where(points.columns < shape[1] // 2, 0.3, 5.0)

    monkeypatch.setattr(measure, "cut_views", cut)
    monkeypatch.setattr(measure, "read_views", read)
    return seen


def test_photo_and_objects(rng, radii):
    photo = photo_like(rng, 300, 400)
    boxes = [(0, 0, 150, 150), (250, 100, 150, 200), (300.5, 10.2, 2, 2)]
    prepared = measure.prepare(photo, None, boxes=boxes, budget=100)
    whole, (left, right, tiny) = measure.measure(prepared, None, view=2000)
    assert whole.verdict == "sharp" and 0.3 < whole.fraction_in_focus < 0.7
    assert (left.verdict, left.sharpest, left.median) == ("sharp", 0.3, 0.3)
    assert (right.verdict, right.sharpest) == ("soft", 5.0)
    assert tiny.verdict == "unknown"
    assert radii[0] <= 100 + 2 * measure.OBJECT_POINTS + 2
    assert whole.places > 50  # as many as there are, not as were read


def test_a_photo_is_judged_at_its_view(rng, radii):
    prepared = measure.prepare(photo_like(rng, 100, 400), None)
    whole, boxes = measure.measure(prepared, None, view=40)
    assert (whole.limit, whole.fraction_in_focus, boxes) == (6.0, 1.0, [])


def test_wrong_boxes_are_told(rng):
    with pytest.raises(ValueError, match="inside the photo of 60x50 px, got"):
        measure.prepare(photo_like(rng, 50, 60), None, boxes=[(70, 0, 5, 5)])


def test_a_place_is_as_sharp_as_the_blurrier_of_its_edges(monkeypatch, rng):
    """And a reading that says nothing does not count."""
    monkeypatch.setattr(measure, "cut_views", lambda *args: [])
    prepared = measure.prepare(photo_like(rng, 100, 100), None)
    first = np.unique(prepared.place, return_index=True)[1]

    def read(views, weights, **options):
        radius = np.full(len(prepared.place), 2.0)
        radius[first] = np.nan
        radius[first[::2]] = 0.3
        return radius

    monkeypatch.setattr(measure, "read_views", read)
    assert len(first) < len(prepared.place)
    whole, _ = measure.measure(prepared, None, view=2000)
    assert whole.sharpest == whole.median == 2.0

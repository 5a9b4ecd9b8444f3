import jax.numpy as jnp
import numpy as np

from eval.methods.readings import park
from eval.tools import fit_park


def test_collects_points_and_fits_what_is_there_to_fit(make_dummy, tmp_path):
    arguments = fit_park.Arguments(photos=make_dummy("composed", "photos"), count=2)
    found = fit_park.collect(arguments)
    for (features, radius), (_, count) in zip(found, park.SCALES, strict=True):
        assert features.shape == (len(radius), 3 * count) and np.isfinite(features).all()
        assert ((radius >= 0) & (radius <= 6.01)).all()


def test_fits_a_linear_rule(rng):
    features = rng.random((400, 6)).astype(np.float32)
    radius = 1 + 3 * features[:, 0]
    regressor = fit_park.fit(features, radius, seed=0)
    assert np.abs(np.asarray(regressor(jnp.asarray(features))) - radius).mean() < 0.2


def test_regressors_that_are_there_fit_the_features():
    for regressor, (_, count) in zip(park.regressors(), park.SCALES, strict=True):
        assert regressor.mean.shape == (3 * count,) and regressor.b2.shape == ()

import pytest

from train.config import FormationConfig, default, scale_rates
from train.data.source import DataConfig


def test_scale_rates_changes_the_rates_of_both_network_stages_alone(tmp_path):
    config = default(DataConfig(photos=tmp_path))
    half = scale_rates(config, 0.5)
    for before, now in ((config.blur, half.blur), (config.edges, half.edges)):
        assert now.optimiser.rate == before.optimiser.rate / 2
        assert now.optimiser.adam_rate == before.optimiser.adam_rate / 2
        assert now.optimiser.warmup_steps == before.optimiser.warmup_steps
    assert half.dense == config.dense
    assert scale_rates(config, 1.0) == config


@pytest.mark.parametrize("factor", [0.0, -1.0, float("nan"), float("inf")])
def test_scale_rates_refuses_what_is_no_factor(tmp_path, factor):
    with pytest.raises(ValueError, match="rate must be a positive factor"):
        scale_rates(default(DataConfig(photos=tmp_path)), factor)


@pytest.mark.parametrize("contrast", [(0.0, 1.0), (0.5, 0.4), (0.5, 1.1)])
def test_contrast_is_a_range_of_shares(contrast):
    with pytest.raises(ValueError, match=r"contrast must be in \(0, 1\], lowest first"):
        FormationConfig(contrast=contrast)

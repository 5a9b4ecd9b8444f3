"""TFDS builder of HKU-IS: photos with masks of their salient objects.

The data set is free for research. Download it from its authors, unpack it so that a folder holds `imgs/`
and `gt/`, and prepare it by `python -m train.data.hku_is --manual-dir FOLDER`.
"""

import dataclasses
from pathlib import Path

import cv2
import tensorflow_datasets as tfds
import tyro
from etils import epath


class HkuIs(tfds.core.GeneratorBasedBuilder):
    """HKU-IS: 4447 photos, a mask of the salient objects for each."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First."}
    MANUAL_DOWNLOAD_INSTRUCTIONS = "Unpack HKU-IS, so that the manual folder holds imgs/ and gt/."
    pkg_dir_path = epath.Path(__file__).parent

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description="Photos with masks of their salient objects.",
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(None, None, 3)),
                    "mask": tfds.features.Image(shape=(None, None, 1)),
                    "name": tfds.features.Text(),
                }
            ),
            homepage="https://i.cs.hku.hk/~gbli/deep_saliency.html",
            citation="Li and Yu, Visual saliency based on multiscale deep features, CVPR 2015.",
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager):
        return {"train": self._generate_examples(Path(dl_manager.manual_dir))}

    def _generate_examples(self, manual_dir: Path):
        """Yields (name, record); raises ValueError where a photo and its mask do not fit."""
        for path in sorted((manual_dir / "imgs").iterdir()):
            mask_path = manual_dir / "gt" / f"{path.stem}.png"
            image, mask = cv2.imread(str(path)), cv2.imread(str(mask_path), cv2.IMREAD_GRAYSCALE)
            if image is None or mask is None:
                raise ValueError(f"HKU-IS: {path} or its mask {mask_path} cannot be read")
            if image.shape[:2] != mask.shape:
                raise ValueError(f"HKU-IS: {path} has shape {image.shape[:2]}, its mask {mask.shape}")
            encoded_mask = cv2.imencode(".png", mask)[1].tobytes()
            yield path.stem, {"image": str(path), "mask": encoded_mask, "name": path.stem}


@dataclasses.dataclass(frozen=True)
class PrepareConfig:
    """Where HKU-IS is, and where its records go.

    Attributes:
      manual_dir: the unpacked data set, with `imgs/` and `gt/`.
      data_dir: folder of TFDS data sets; None = the default of TFDS.
    """

    manual_dir: Path
    data_dir: Path | None = None


def prepare(config: PrepareConfig) -> None:
    """Writes the records, as array_record.

    Raises:
      FileNotFoundError: the manual folder lacks `imgs/` or `gt/`.
      ValueError: a photo and its mask do not fit.
    """
    for name in ("imgs", "gt"):
        if not (config.manual_dir / name).is_dir():
            raise FileNotFoundError(f"HKU-IS folder {config.manual_dir} has no folder {name}/")
    builder = HkuIs(data_dir=config.data_dir, file_format="array_record")
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(manual_dir=config.manual_dir), file_format="array_record"
    )


if __name__ == "__main__":
    prepare(tyro.cli(PrepareConfig))

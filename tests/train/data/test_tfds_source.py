"""The data sets themselves cannot be had here: tiny ones of the same layout stand in for them."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[3]

# Prepared and read in a process of its own, where nothing else can have imported TensorFlow.
PROGRAM = """
import sys
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds

from train.data.gate import GateConfig
from train.data.hku_is import PrepareConfig, prepare
from train.data.source import DataConfig, open_source

root = Path(sys.argv[1])

class Coco(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version("1.1.0")
    BUILDER_CONFIGS = [tfds.core.BuilderConfig(name="2017")]
    pkg_dir_path = root
    def _info(self):
        box = {"bbox": tfds.features.BBoxFeature(), "label": tfds.features.ClassLabel(num_classes=80)}
        objects = tfds.features.Sequence(box)
        name = tfds.features.Text()
        features = {"image": tfds.features.Image(), "image/filename": name, "objects": objects}
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))
    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples()}
    def _generate_examples(self):
        for path in sorted((root / "manual" / "imgs").iterdir()):
            objects = [{"bbox": tfds.features.BBox(0.1, 0.1, 0.5, 0.5), "label": 3}]
            yield path.name, {"image": str(path), "image/filename": path.name, "objects": objects}

prepare(PrepareConfig(root / "manual", root / "data"))
coco = Coco(data_dir=root / "data", config="2017", file_format="array_record")
coco.download_and_prepare(file_format="array_record")

config = DataConfig(
    tfds=("coco/2017", "hku_is"), tfds_dir=root / "data", crop_size=24, contents_per_batch=4,
    outline_probability=1.0, recolour_probability=0.0, grey_probability=0.0,
    gate=GateConfig(max_sigma=0.6, max_clipped_fraction=1.0),
)
source = open_source(config)
assert source.licences() == {"terms of coco/2017": 8, "terms of hku_is": 8}, source.licences()
assert source.num_outlines("train") + source.num_outlines("held_out") == 8
names = source.photo_names("train") + source.photo_names("held_out")
assert len(set(names)) == 16 and "coco-2017-0000000" in names and "hku_is-0000007" in names, names
np.savez(root / "batch.npz", **source.contents(5), **source.layers(5))
imported = [name for name in sys.modules if name.partition(".")[0] == "tensorflow"]
assert not imported, imported
"""


@pytest.fixture
def manual(tmp_path, photos) -> Path:
    """Eight photos in the layout of HKU-IS: red and black inside the mask, green outside."""
    for name in ("imgs", "gt"):
        (tmp_path / "manual" / name).mkdir(parents=True)
    for number in range(8):
        image = np.full((60, 80, 3), (0, 180, 0), np.uint8)
        stripes = np.where(np.arange(35) // (4 + number % 3) % 2, 30, 200)
        image[15:45, 20:55] = stripes[None, :, None] * np.array([0, 0, 1])
        mask = np.zeros((60, 80), np.uint8)
        mask[15:45, 20:55] = 255
        cv2.imwrite(str(tmp_path / "manual" / "imgs" / f"{number:04d}.png"), image)
        cv2.imwrite(str(tmp_path / "manual" / "gt" / f"{number:04d}.png"), mask)
    return tmp_path / "manual"


def test_hku_is_and_coco_are_read_without_tensorflow(manual):
    process = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, str(manual.parent)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr[-3000:]
    batch = np.load(manual.parent / "batch.npz")
    assert batch["content"].shape == (4, 24, 24, 3)
    assert batch["content"][..., 1].max() == 180  # photos as they are, colours in order
    assert batch["foreground"][..., 1].max() == 0  # objects without their surroundings
    assert ((batch["alpha"] > 0).mean(axis=(1, 2)) < 1).all()


def test_tfds_is_not_imported_for_a_folder():
    heavy = {"tensorflow_datasets", "grain", "tensorflow"}
    program = f"import sys, train.data.source; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_a_data_set_that_is_not_prepared_is_refused_with_the_command(tmp_path):
    program = (
        "import sys\nfrom pathlib import Path\nfrom train.data.tfds_source import open_tfds\n"
        "for name in ('imagenet2012', 'hku_is'):\n"
        "    try:\n        open_tfds([name], Path(sys.argv[1]))\n"
        "    except FileNotFoundError as error:\n        print(error)\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, capture_output=True, text=True
    )
    assert process.stdout.splitlines() == [
        "TFDS data set imagenet2012 is not prepared as array_record; run: tfds build imagenet2012 "
        f"--file_format=array_record --data_dir={tmp_path}",
        "TFDS data set hku_is is not prepared as array_record; run: python -m train.data.hku_is "
        f"--manual-dir HKU-IS --data-dir {tmp_path}",
    ]

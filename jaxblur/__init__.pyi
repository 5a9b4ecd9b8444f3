# The public names: the one list of them. `__init__` reads it.
from . import synthesis as synthesis
from .batch import estimate_batch as estimate_batch
from .batch import estimate_stream as estimate_stream
from .config import DEFAULT as DEFAULT
from .config import PRESETS as PRESETS
from .config import PUBLISHED as PUBLISHED
from .config import TWO_STAGE as TWO_STAGE
from .config import Config as Config
from .config import EdgeConfig as EdgeConfig
from .config import GuideConfig as GuideConfig
from .config import MultiScale as MultiScale
from .config import PropagationConfig as PropagationConfig
from .config import SingleScale as SingleScale
from .edges.canny import detect_edges as detect_edges
from .estimator import classify_edges as classify_edges
from .estimator import estimate as estimate
from .estimator import estimate_padded as estimate_padded
from .image.size import size_bucket as size_bucket
from .network.config import ColumnConfig as ColumnConfig
from .network.config import NetworkConfig as NetworkConfig
from .network.pointwise import PointProbabilities as PointProbabilities
from .network.weights import Weights as Weights
from .propagation.domain_transform import recursive_filter as recursive_filter
from .propagation.single_scale import propagate as propagate
from .result import BlurEstimate as BlurEstimate
from .result import fraction_in_focus as fraction_in_focus
from .result import in_focus as in_focus
from .units import radius_to_sigma as radius_to_sigma
from .units import sigma_to_radius as sigma_to_radius
from .verdict import Sharpness as Sharpness
from .verdict import sharpness as sharpness
from .weights import load_weights as load_weights
from .weights import save_weights as save_weights

__version__: str

"""Kinds of picture files: which are read, which are known but refused and why, told by content and by suffix."""

import re
from pathlib import Path

_RAW = (
    "3fr arw cr2 cr3 crw dcr dng erf fff iiq kdc mef mos mrw nef nrw orf pef raf raw rw2 rwl sr2 srf srw x3f"
)

_SUFFIXES = {
    "JPEG": ".jpg .jpeg .jpe .jfif",
    "PNG": ".png",
    "TIFF": ".tif .tiff",
    "WebP": ".webp",
    "BMP": ".bmp .dib",
    "AVIF": ".avif .avifs",
    "HEIC": ".heic .heif .hif",
    "GIF": ".gif",
    "JPEG 2000": ".jp2 .j2k .j2c .jpf .jpx",
    "JPEG XL": ".jxl",
    "JPEG XR": ".jxr .wdp",
    "Photoshop": ".psd .psb",
    "OpenEXR": ".exr",
    "Radiance HDR": ".hdr",
    "Netpbm": ".ppm .pgm .pbm .pnm",
    "camera raw": " ".join(f".{name}" for name in _RAW.split()),
}
_KIND_OF_SUFFIX = {suffix: kind for kind, suffixes in _SUFFIXES.items() for suffix in suffixes.split()}

REFUSED = {
    "GIF": "its 256 colours, dithered, are no measure of blur",
    "camera raw": "develop it to TIFF, PNG or JPEG",
    "JPEG 2000": "convert it to TIFF or PNG",
    "JPEG XL": "convert it to TIFF or PNG",
    "JPEG XR": "convert it to TIFF or PNG",
    "Photoshop": "export it as TIFF or PNG",
    "OpenEXR": "its values are linear light without a limit; convert it to an sRGB-encoded TIFF or PNG",
    "Radiance HDR": "its values are linear light without a limit; convert it to an sRGB-encoded TIFF or PNG",
    "Netpbm": "convert it to TIFF or PNG",
}
"""Kinds that are not read, and why or what to do instead."""

READ = tuple(kind for kind in _SUFFIXES if kind not in REFUSED)
"""Kinds that are read."""

PHOTO_SUFFIXES = tuple(sorted(suffix for suffix, kind in _KIND_OF_SUFFIX.items() if kind in READ))
"""Suffixes of what is read inside a folder; of a file named outright only the content counts."""

PICTURE_SUFFIXES = tuple(sorted(_KIND_OF_SUFFIX))
"""Suffixes of all kinds of pictures, also of those that are refused with a reason."""

HEAD = 32
"""Bytes that `kind_of` wants to see."""

_SIGNATURES = (
    ("JPEG", rb"\xff\xd8\xff"),
    ("PNG", rb"\x89PNG\r\n\x1a\n"),
    ("camera raw", rb"II\*\0....CR|II\x55\0|IIR[OS]|MMOR|II\x1a\0..HEAPCCDR|FUJIFILMCCD-RAW|\0MRM|FOVb"),
    ("TIFF", rb"II[*+]\0|MM\0[*+]"),
    ("WebP", rb"RIFF....WEBP"),
    ("BMP", rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0"),
    ("AVIF", rb"....ftyp(?:avi[fs]|mif1....(?:....)*avif)"),
    ("HEIC", rb"....ftyp(?:he[iv][cxms]|m[is]f1)"),
    ("camera raw", rb"....ftypcrx"),
    ("GIF", rb"GIF8[79]a"),
    ("JPEG 2000", rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51"),
    ("JPEG XL", rb"\xff\x0a|\0\0\0\x0cJXL "),
    ("JPEG XR", rb"II\xbc"),
    ("Photoshop", rb"8BPS"),
    ("OpenEXR", rb"\x76\x2f\x31\x01"),
    ("Radiance HDR", rb"#\?(?:RADIANCE|RGBE)"),
    ("Netpbm", rb"P[1-7]\s"),
)
_PATTERNS = tuple((kind, re.compile(pattern, re.DOTALL)) for kind, pattern in _SIGNATURES)


def kind_of(path: str | Path, head: bytes) -> str | None:
    """Kind of a file by its first `HEAD` bytes; None: not one of the kinds known here.

    The suffix counts for camera raw files only: most are TIFFs by content.
    """
    kind = next((kind for kind, pattern in _PATTERNS if pattern.match(head)), None)
    named = _KIND_OF_SUFFIX.get(Path(path).suffix.lower())
    return named if kind == "TIFF" and named == "camera raw" else kind

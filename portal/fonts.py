"""The portal's typeface, prepared once at set-up (`python -m portal.fonts`): what its package holds of French and its
neighbours, in the form that browsers load: 17 kB a weight instead of 290."""

from __future__ import annotations

import sys
from importlib import resources
from pathlib import Path
from typing import Final

WEIGHTS: Final = {400: "Regular", 700: "Bold"}  # what asks for 600 is shown in 700
FOLDER: Final = Path(sys.prefix) / "share" / "espace-entreprise-sante" / "fonts"
# Latin with every accent of the languages of our pages, punctuation, arrows, the euro.
_CHARACTERS: Final = (
    "U+0020-007E,U+00A0-017F,U+0192,U+02C6,U+02DA,U+02DC,U+2010-2026,U+202F,U+2030,U+2039,U+203A,U+20AC,U+2122,"
    "U+2190-2193,U+2212"
)


def file_name(weight: int) -> str:
    return f"source-sans-{weight}.woff2"


def prepare() -> None:
    """Write one file a weight into FOLDER; those that are there already are kept."""
    from fontTools import subset  # half a second: only here

    FOLDER.mkdir(parents=True, exist_ok=True)
    for weight, name in WEIGHTS.items():
        target = FOLDER / file_name(weight)
        if target.exists():
            continue
        source = resources.files("font_source_sans_pro") / "files" / f"SourceSansPro-{name}.ttf"
        with resources.as_file(source) as path:
            subset.main(
                [
                    str(path),
                    f"--unicodes={_CHARACTERS}",
                    "--flavor=woff2",
                    "--layout-features=kern,liga,tnum,lnum,mark,mkmk,ccmp,locl",
                    f"--output-file={target}",
                ]
            )


if __name__ == "__main__":
    prepare()

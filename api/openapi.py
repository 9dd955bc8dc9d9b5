"""Prints the API's OpenAPI document: `python -m api.openapi`."""

from __future__ import annotations

import json
import sys

from api.app import create_app
from settings import Settings

if __name__ == "__main__":
    json.dump(create_app(Settings()).openapi(), sys.stdout, ensure_ascii=False, indent=2)
    sys.stdout.write("\n")

"""How values and failures become payloads: ids, codes and dates, never the text of somebody else's exception."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.contrib.pydantic import PydanticJSONPlainPayloadConverter, pydantic_data_converter
from temporalio.converter import (
    CompositePayloadConverter,
    DefaultFailureConverter,
    DefaultPayloadConverter,
    JSONPlainPayloadConverter,
    PayloadConverter,
)
from temporalio.exceptions import FailureError

# The SDK makes a converter, and with it the adapters of every type it meets, for each workflow in the worker's cache:
# made once for the process, an open affiliation takes a third of the memory.
_adapter = lru_cache(maxsize=256)(TypeAdapter)


class _Json(PydanticJSONPlainPayloadConverter):
    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        return _adapter(Any if type_hint is None else type_hint).validate_json(payload.data)


class SharedPayloadConverter(CompositePayloadConverter):
    """The pydantic converter, its adapters shared by all workflows of the process."""

    def __init__(self) -> None:
        converters = DefaultPayloadConverter.default_encoding_payload_converters
        super().__init__(*(_Json() if isinstance(c, JSONPlainPayloadConverter) else c for c in converters))


class CodesOnlyFailureConverter(DefaultFailureConverter):
    """Of an exception that is not Temporal's own: its type and where it came from. Its text may quote anything."""

    def to_failure(self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure) -> None:
        super().to_failure(exception, payload_converter, failure)  # comes back here for each cause and context
        if not isinstance(exception, FailureError):
            failure.message = type(exception).__name__


DATA_CONVERTER = replace(
    pydantic_data_converter,
    payload_converter_class=SharedPayloadConverter,
    failure_converter_class=CodesOnlyFailureConverter,
)

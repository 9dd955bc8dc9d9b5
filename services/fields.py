"""The fields people fill in, each with its rule and a valid example, and their errors in French.

`domain/` says what is valid; pydantic applies it; this module gives every error its field, words and example.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from domain.addresses import MAX_LINE_CHARACTERS
from domain.identifiers import (
    EMAIL_EXAMPLE,
    IBAN_EXAMPLE,
    NIR_EXAMPLE,
    PHONE_EXAMPLE,
    POSTCODE_EXAMPLE,
    SIRET_EXAMPLE,
    InvalidValue,
    parse_email,
    parse_iban,
    parse_nir,
    parse_phone,
    parse_postcode,
    parse_siret,
)
from domain.working_time import paris_date
from services.problems import FieldError

NBSP = "\u00a0"


class Form(BaseModel):
    """What a door receives: unknown fields are refused, values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


def today() -> date:
    """The civil date in France."""
    return paris_date(datetime.now(UTC))


def empty_is_none(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


def _one_line(text: str) -> str:
    """Refuse what no name holds and headers fear; the rest is people's own business."""
    if any(unicodedata.category(mark) in ("Cc", "Zl", "Zp") for mark in text):
        raise InvalidValue("text.characters", "Ce texte contient un caractère invisible.", "Camille")
    return unicodedata.normalize("NFC", text)


def _rule(parse: Callable[[str], str]) -> AfterValidator:
    return AfterValidator(parse)


Siret = Annotated[str, _rule(parse_siret), Field(max_length=40, examples=[SIRET_EXAMPLE])]
Nir = Annotated[str, _rule(parse_nir), Field(max_length=40, examples=[NIR_EXAMPLE])]
Iban = Annotated[str, _rule(parse_iban), Field(max_length=60, examples=[IBAN_EXAMPLE])]
Email = Annotated[str, _rule(parse_email), Field(max_length=254, examples=[EMAIL_EXAMPLE])]
Phone = Annotated[str, _rule(parse_phone), Field(max_length=40, examples=[PHONE_EXAMPLE])]
Postcode = Annotated[str, _rule(parse_postcode), Field(max_length=20, examples=[POSTCODE_EXAMPLE])]
Name = Annotated[str, _rule(_one_line), Field(min_length=1, max_length=60, examples=["Martin"])]
AddressLine = Annotated[str, _rule(_one_line), Field(min_length=1, max_length=100, examples=["12 rue des Lilas"])]
City = Annotated[str, _rule(_one_line), Field(min_length=1, max_length=MAX_LINE_CHARACTERS, examples=["Paris"])]

OptionalEmail = Annotated[Email | None, BeforeValidator(empty_is_none)]
OptionalPhone = Annotated[Phone | None, BeforeValidator(empty_is_none)]
OptionalLine = Annotated[AddressLine | None, BeforeValidator(empty_is_none)]


def between(earliest: Callable[[], date], latest: Callable[[], date], words: str, example: str) -> AfterValidator:
    """A date within moving bounds; `words` says the bounds in French."""

    def check(day: date) -> date:
        if not earliest() <= day <= latest():
            raise InvalidValue("date.bounds", words, example)
        return day

    return AfterValidator(check)


# --- errors in French

_WORDS = {
    "missing": "Ce champ est obligatoire.",
    "extra_forbidden": "Ce champ n’est pas attendu ici. Retirez-le.",
    "string_type": "Indiquez un texte.",
    "string_too_short": "Ce champ est obligatoire.",
    "string_too_long": "Ce texte est trop long.",
    "date_type": "Indiquez une date au format AAAA-MM-JJ.",
    "date_parsing": "Cette date n’existe pas ou n’est pas au format AAAA-MM-JJ.",
    "date_from_datetime_parsing": "Cette date n’existe pas ou n’est pas au format AAAA-MM-JJ.",
    "date_from_datetime_inexact": "Indiquez une date sans heure, au format AAAA-MM-JJ.",
    "int_parsing": "Indiquez un nombre entier.",
    "int_type": "Indiquez un nombre entier.",
    "bool_parsing": "Indiquez vrai ou faux (true ou false).",
    "bool_type": "Indiquez vrai ou faux (true ou false).",
    "uuid_parsing": "Cet identifiant n’est pas valable.",
    "json_invalid": "Le contenu n’est pas du JSON valable.",
    "model_attributes_type": "Indiquez un objet avec ses champs.",
    "model_type": "Indiquez un objet avec ses champs.",
    "dict_type": "Indiquez un objet avec ses champs.",
    "list_type": "Indiquez une liste.",
    "too_long": "Il y a trop d’éléments.",
    "greater_than_equal": "Ce nombre est trop petit.",
    "less_than_equal": "Ce nombre est trop grand.",
}


def field_errors(errors: Sequence[Any], model: Any = None, prefix: int = 0) -> list[FieldError]:
    """pydantic's errors (`ValidationError.errors()`) as ours; `model` gives the examples.

    `prefix`: how many leading parts of the location are not field names (FastAPI's `body`).
    """
    return [_field_error(error, model, prefix) for error in errors]


def errors_of(error: ValidationError, model: Any = None) -> list[FieldError]:
    return field_errors(error.errors(), model)


def _field_error(error: Any, model: Any, prefix: int) -> FieldError:
    path = tuple(error["loc"][prefix:])
    field = ".".join(str(part) for part in path) or "body"
    kind = error["type"]
    cause = (error.get("ctx") or {}).get("error")
    if isinstance(cause, InvalidValue):
        return FieldError(field, cause.code, _with_example(cause.message, cause.example))
    if kind in ("enum", "literal_error"):
        choices = str((error.get("ctx") or {}).get("expected", "")).replace("'", "").replace(" or ", ", ")
        return FieldError(field, kind, f"Choisissez une de ces valeurs{NBSP}: {choices}.")
    words = _WORDS.get(kind, "Cette valeur n’est pas valable.")
    return FieldError(field, kind, _with_example(words, None if kind == "extra_forbidden" else _example(model, path)))


def _with_example(words: str, example: str | None) -> str:
    return f"{words} Exemple{NBSP}: {example}" if example else words


def _example(annotation: Any, path: tuple[Any, ...]) -> str | None:
    """The example that the model gives for a field, found by walking its path."""
    model = _model_in(annotation)
    if model is None or not path:
        return None
    found = model.model_fields.get(str(path[0]))
    if found is None:
        return None
    rest = tuple(part for part in path[1:] if isinstance(part, str))
    if rest:
        return _example(found.annotation, rest)
    if found.examples:
        return str(found.examples[0])
    return _annotated_example(found.annotation)


def _annotated_example(annotation: Any) -> str | None:
    for argument in get_args(annotation):
        examples = getattr(argument, "examples", None)
        if examples:
            return str(examples[0])
        inner = _annotated_example(argument)
        if inner:
            return inner
    return None


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Union, UnionType, Annotated, list, tuple):
        for argument in get_args(annotation):
            found = _model_in(argument)
            if found is not None:
                return found
    return None

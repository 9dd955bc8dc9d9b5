"""The fields people fill in, each with its rule and a valid example, and their errors in French.

`domain/` says what is valid; pydantic applies it; this module gives every error its field, words and example.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from enum import Enum
from typing import Annotated, Any, Literal, TypeGuard, TypeVar, get_args, get_origin

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from domain.addresses import MAX_LINE_CHARACTERS
from domain.identifiers import (
    EMAIL_EXAMPLE,
    IBAN_EXAMPLE,
    NIR_EXAMPLE,
    PHONE_EXAMPLE,
    POSTCODE_EXAMPLE,
    SIREN_EXAMPLE,
    SIRET_EXAMPLE,
    InvalidValue,
    parse_email,
    parse_iban,
    parse_nir,
    parse_phone,
    parse_postcode,
    parse_siren,
    parse_siret,
)
from domain.working_time import paris_date
from services.problems import FieldError, InvalidFields

NBSP = "\u00a0"


class Form(BaseModel):
    """What a door receives: unknown fields are refused, values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


def today() -> date:
    """The civil date in France."""
    return paris_date(datetime.now(UTC))


def empty_is_none(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


# Marks that turn the reading direction round: they make one name look like another.
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def _one_line(text: str) -> str:
    """Refuse what no name holds and headers fear; the rest is people's own business."""
    if any(unicodedata.category(mark) in ("Cc", "Zl", "Zp") or mark in _TURNING for mark in text):
        raise InvalidValue("text.characters", "Ce texte contient un caractère invisible.", "Camille")
    if all(mark.isspace() or unicodedata.category(mark) == "Cf" for mark in text):
        raise InvalidValue("text.characters", "Ce texte ne contient que des caractères invisibles.", "Camille")
    return unicodedata.normalize("NFC", text)


_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def _written_day(value: Any) -> Any:
    """A date as it is written: pydantic would also read a number, as seconds since 1970."""
    if isinstance(value, date) or (isinstance(value, str) and _DAY.fullmatch(value.strip())):
        return value
    raise PydanticCustomError("date_parsing", "not a date")


def _rule(parse: Callable[[str], str]) -> AfterValidator:
    return AfterValidator(parse)


Day = Annotated[date, BeforeValidator(_written_day)]

# The length is looked at first: it bounds what the rules have to read.
Siren = Annotated[str, Field(max_length=40, examples=[SIREN_EXAMPLE]), _rule(parse_siren)]
Siret = Annotated[str, Field(max_length=40, examples=[SIRET_EXAMPLE]), _rule(parse_siret)]
Nir = Annotated[str, Field(max_length=40, examples=[NIR_EXAMPLE]), _rule(parse_nir)]
Iban = Annotated[str, Field(max_length=60, examples=[IBAN_EXAMPLE]), _rule(parse_iban)]
Email = Annotated[str, Field(max_length=254, examples=[EMAIL_EXAMPLE]), _rule(parse_email)]
Phone = Annotated[str, Field(max_length=40, examples=[PHONE_EXAMPLE]), _rule(parse_phone)]
Postcode = Annotated[str, Field(max_length=20, examples=[POSTCODE_EXAMPLE]), _rule(parse_postcode)]
Name = Annotated[str, Field(min_length=1, max_length=60, examples=["Martin"]), _rule(_one_line)]
AddressLine = Annotated[str, Field(min_length=1, max_length=100, examples=["12 rue des Lilas"]), _rule(_one_line)]
City = Annotated[str, Field(min_length=1, max_length=MAX_LINE_CHARACTERS, examples=["Paris"]), _rule(_one_line)]
InsurerReference = Annotated[str, Field(min_length=1, max_length=40, examples=["K0000001"]), _rule(_one_line)]
NamePart = Annotated[str, Field(min_length=1, max_length=100, examples=["martin"]), _rule(_one_line)]

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
    "string_unicode": "Ce texte contient un caractère qui n’existe pas.",
    "string_too_short": "Ce champ est obligatoire.",
    "string_too_long": "Ce texte est trop long.",
    "date_type": "Indiquez une date au format AAAA-MM-JJ.",
    "date_parsing": "Cette date n’existe pas ou n’est pas au format AAAA-MM-JJ.",
    "date_from_datetime_parsing": "Cette date n’existe pas ou n’est pas au format AAAA-MM-JJ.",
    "date_from_datetime_inexact": "Indiquez une date sans heure, au format AAAA-MM-JJ.",
    "int_parsing": "Indiquez un nombre entier.",
    "int_parsing_size": "Indiquez un nombre entier.",
    "int_from_float": "Indiquez un nombre entier.",
    "int_type": "Indiquez un nombre entier.",
    "finite_number": "Indiquez un nombre entier.",
    "bool_parsing": "Indiquez vrai ou faux (true ou false).",
    "bool_type": "Indiquez vrai ou faux (true ou false).",
    "string_pattern_mismatch": "N’utilisez que des chiffres, des lettres sans accent et des signes simples.",
    "uuid_parsing": "Cet identifiant n’est pas valable.",
    "json_invalid": "Le contenu n’est pas du JSON valable.",
    "model_attributes_type": "Indiquez un objet avec ses champs.",
    "model_type": "Indiquez un objet avec ses champs.",
    "dict_type": "Indiquez un objet avec ses champs.",
    "list_type": "Indiquez une liste.",
    "tuple_type": "Indiquez une liste.",
    "too_long": "Il y a trop d’éléments.",
    "greater_than_equal": "Ce nombre est trop petit.",
    "less_than_equal": "Ce nombre est trop grand.",
}
_MOST_ERRORS = 50  # more help nobody, and would make a large answer of a small nonsense
_MOST_NAME = 100  # an unknown field is named as it was sent


def field_errors(errors: Sequence[Any], model: Any = None, prefix: int = 0) -> list[FieldError]:
    """pydantic's errors (`ValidationError.errors()`) as ours; `model` gives the examples.

    `prefix`: how many leading parts of the location are not field names (FastAPI's `body`).
    """
    return [_field_error(error, model, prefix) for error in errors[:_MOST_ERRORS]]


_Model = TypeVar("_Model", bound=BaseModel)


def validated(model: type[_Model], given: Mapping[str, Any]) -> _Model:
    """What a page's form or a multipart request sends, as FastAPI reads JSON. Raises InvalidFields."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise InvalidFields(field_errors(error.errors(), model)) from None


def _field_error(error: Any, model: Any, prefix: int) -> FieldError:
    kind = error["type"]
    path = () if kind == "json_invalid" else tuple(error["loc"][prefix:])
    field = ".".join(str(part) for part in path)[:_MOST_NAME] or "body"
    cause = (error.get("ctx") or {}).get("error")
    if isinstance(cause, InvalidValue):
        return FieldError(field, cause.code, _with_example(cause.message, cause.example), cause.example)
    if kind in ("enum", "literal_error"):
        choices = ", ".join(_text(choice) for choice in _choices(_annotation_at(model, path)))
        words = f"Choisissez une de ces valeurs{NBSP}: {choices}." if choices else "Cette valeur n’est pas prévue."
        example = _example(model, path)
        return FieldError(field, kind, _with_example(words, example), example)
    words = _WORDS.get(kind, "Cette valeur n’est pas valable.")
    example = None if kind == "extra_forbidden" else _example(model, path)
    return FieldError(field, kind, _with_example(words, example), example)


def _with_example(words: str, example: str | None) -> str:
    return f"{words} Exemple{NBSP}: {example}" if example else words


# --- examples: as the models give them, or made of those of their parts


def _example(model: Any, path: tuple[Any, ...]) -> str | None:
    annotation = _annotation_at(model, path)
    value = None if annotation is None else _sample(annotation)
    return None if value is None else _text(value)


def _text(value: Any) -> str:
    if isinstance(value, Enum):
        value = value.value
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _annotation_at(annotation: Any, path: tuple[Any, ...]) -> Any:
    """What stands at a path of the model: names of fields, places in lists. None: nothing does."""
    for part in path:
        if isinstance(part, int):
            annotation = next(
                (get_args(a)[0] for a in _alternatives(annotation) if get_origin(a) in (list, tuple)), None
            )
        else:
            annotation = _named(annotation, str(part))
    return annotation


def _named(annotation: Any, name: str) -> Any:
    """What stands under a name: of a model's field, or of a mapping, whatever the name."""
    for alternative in _alternatives(annotation):
        if get_origin(alternative) is dict:
            return get_args(alternative)[1]
        if _is_model(alternative):
            field = alternative.model_fields.get(name)
            return None if field is None else Annotated[field.annotation, field]
    return None


def _sample(annotation: Any) -> Any:
    """A value that it accepts, None when its type does not tell."""
    for part in _parts(annotation):
        examples = getattr(part, "examples", None)
        if examples:
            return examples[0]
    for alternative in _alternatives(annotation):
        if _is_model(alternative):
            required = {n: f for n, f in alternative.model_fields.items() if f.is_required()}
            return {name: _sample(Annotated[field.annotation, field]) for name, field in required.items()}
        if get_origin(alternative) in (list, tuple):
            return []
        if alternative is bool:
            return True
    return next(_choices(annotation), None)


def _choices(annotation: Any) -> Iterator[Any]:
    for alternative in _alternatives(annotation):
        if get_origin(alternative) is Literal:
            yield from get_args(alternative)
        elif isinstance(alternative, type) and issubclass(alternative, Enum):
            yield from (member.value for member in alternative)


def _alternatives(annotation: Any) -> Iterator[Any]:
    """The types that are accepted, without what is said about them."""
    origin = get_origin(annotation)
    if annotation is None or annotation is type(None):
        return
    if origin is Annotated:
        yield from _alternatives(get_args(annotation)[0])
    elif origin in (list, tuple, dict, Literal) or isinstance(annotation, type):
        yield annotation
    else:
        for argument in get_args(annotation):
            yield from _alternatives(argument)


def _parts(annotation: Any) -> Iterator[Any]:
    """What is said about the accepted types, outermost first."""
    if get_origin(annotation) is Annotated:
        yield from get_args(annotation)[1:]
        yield from _parts(get_args(annotation)[0])
    elif get_origin(annotation) not in (list, tuple, dict, Literal):
        for argument in get_args(annotation):
            yield from _parts(argument)


def _is_model(annotation: Any) -> TypeGuard[type[BaseModel]]:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)

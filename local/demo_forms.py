"""What the people of the demo register answer on their form, and the papers that they send with it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

from domain.identifiers import Civility
from domain.pieces import Piece, PieceCode
from domain.synthetic import synthetic_iban, synthetic_nir
from local.demo_documents import Paper, certificate, partnership_proof, photographed, rib, school_certificate
from local.demo_people import Person, Story


def nir_of(person: Person, number: int) -> str:
    """`number`: the person's place in the register, as everywhere here."""
    return synthetic_nir(Civility(person.civility), person.birth_date, person.department, number + 1)


def begun(person: Person, number: int) -> dict[str, str]:
    """The first answers, what the employer declared being right: a draft that is left there."""
    return {
        "identity_correct": "yes",
        "birth_date": _typed(person.birth_date),
        "nir": nir_of(person, number),
        "scheme": person.scheme,
    }


def answers_of(person: Person, number: int, today: date) -> dict[str, str]:
    """The whole form."""
    line1, postcode, city = person.address
    return {
        **begun(person, number),
        "line1": line1,
        "postcode": postcode,
        "city": city,
        **(_waives(person, today) if person.waived_days else _joins(person, number)),
        "consent_data": "yes",
        "declaration_of_honour": "yes",
        "signature": person.name,
    }


def read_on_paper(person: Person) -> dict[str, str]:
    """What staff read on the form that came back without bank details."""
    return {"path": "join", "level": person.level, "signature": person.name, **_family(person)}


def _joins(person: Person, number: int) -> Mapping[str, str]:
    return {
        "path": "join",
        "has_dependants": "yes" if person.family else "no",
        **_family(person),
        "level": person.level,
        "iban": _iban(number),
        "account_holder": person.name,
        "teletransmission": "yes",
        "consent_teletransmission": "yes",
    }


def _waives(person: Person, today: date) -> Mapping[str, str]:
    return {
        "path": "waive",
        "waiver_reason": "individual_cover",
        "waiver_until": _typed(today + timedelta(days=person.waived_days)),
        "waiver_proof": "sworn",
        "sworn_waiver": "yes",
    }


def _family(person: Person) -> dict[str, str]:
    answers: dict[str, str] = {}
    for place, relative in enumerate(person.family, start=1):
        about = {
            "kind": relative.kind,
            "last_name": person.last_name,
            "first_names": relative.first_names,
            "birth_date": _typed(relative.birth_date),
            "attached_to": relative.attached_to,
            **({"civil_link": "marriage"} if relative.kind == "partner" else {}),
            **({"student": "yes"} if relative.student else {}),
        }
        answers |= {f"dependants.{relative.kind[0]}{place}.{name}": value for name, value in about.items()}
    return answers


# --- papers

# Who sends which documents with the form; each one inspected takes a third of a second of the load.
_OWN = (PieceCode.rib, PieceCode.social_security_certificate)
_SENT: Mapping[Story, tuple[PieceCode, ...]] = {
    Story.accepted: (*_OWN, PieceCode.partnership_proof),
    Story.checking: _OWN,
    Story.asked_again: _OWN,
    Story.some_later: (*_OWN, PieceCode.school_certificate),
}


def paper_of(person: Person, number: int, piece: Piece, today: date) -> Paper | None:
    """What the person sends with the form for a document that it asks for; None: nothing."""
    if piece.code not in _SENT.get(person.story, ()):
        return None
    if piece.code is PieceCode.rib:
        paper = rib(_iban(number), person.name)
        return photographed(paper, blurred=True) if person.story is Story.asked_again else paper
    if piece.code is PieceCode.partnership_proof:
        partner = next(relative for relative in person.family if relative.kind == "partner")
        return partnership_proof(person.name, f"{partner.first_names} {person.last_name}", since=date(2012, 6, 16))
    if piece.code is PieceCode.school_certificate:
        student = next(relative for relative in person.family if relative.student)
        return school_certificate(f"{person.last_name} {student.first_names}", on=today)
    others = [f"{person.last_name} {each.first_names}" for each in person.family if each.attached_to == "employee"]
    paper = certificate(nir_of(person, number), f"{person.last_name} {person.first_names}", others, on=today)
    return photographed(paper) if person.story is Story.checking else paper


def _iban(number: int) -> str:
    return synthetic_iban(4100 + number)


def _typed(day: date) -> str:
    return f"{day:%d/%m/%Y}"

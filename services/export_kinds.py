"""Everything that can be exported, by the name that a job keeps: another kind is added here, and asked for through
`ExportService.start`. The worker and the doors read the same table."""

from __future__ import annotations

from collections.abc import Mapping

from activities.export import ExportKind
from activities.writing import Writer
from db.pool import Pool
from gateways.encryption import FieldCipher
from services.evidence_pack import EVIDENCE, EvidenceExport
from services.insured_sheet import INSURED, InsuredExport


def export_kinds(pool: Pool, cipher: FieldCipher, public_base_url: str) -> Mapping[str, ExportKind]:
    return {
        INSURED: InsuredExport(pool, cipher),
        EVIDENCE: EvidenceExport(pool, cipher, Writer(cipher, public_base_url)),
    }

"""Everything that is kept of one person, to be handed over to them (security.md R-02)."""

from __future__ import annotations

PERSON = """
SELECT e.id, e.civility, e.last_name, e.birth_name, e.first_names, e.birth_date, e.nir_sealed, e.created_at,
       c.name AS company
FROM employee e JOIN company c ON c.id = e.company_id WHERE e.id = $1
"""

PERSON_OF_AFFILIATION = "SELECT employee_id FROM affiliation WHERE id = $1"

# $2: one of them only
AFFILIATIONS = """
SELECT a.id, s.name AS establishment, s.siret, a.status, a.status_at, a.closure, a.declared_at, a.origin, a.language,
       a.hired_on, a.professional_status, a.scheme, a.contract_kind, a.medium
FROM affiliation a JOIN establishment s ON s.id = a.establishment_id
WHERE a.employee_id = $1 AND ($2::uuid IS NULL OR a.id = $2) ORDER BY a.declared_at, a.id
"""

# What payroll declared of them; not what somebody of the same name and birth date only may be.
PAYROLL = """
SELECT c.id, c.kind, c.on_day, c.reason, c.state, c.recorded_at, c.applied_at, c.person_sealed
FROM employee e JOIN dsn_change c ON c.company_id = e.company_id
WHERE e.id = $1 AND (c.person_index = e.nir_index OR c.employee_id = e.id AND c.match <> 'proposal')
ORDER BY c.recorded_at, c.id
"""

# --- of these affiliations ($1)

CONTACTS = """
SELECT affiliation_id, given_by, email, phone, line1, line2, postcode, city, country, created_at
FROM contact WHERE affiliation_id = ANY ($1) ORDER BY affiliation_id, version
"""

ENROLMENTS = """
SELECT affiliation_id, version, content_sealed, form_version, saved_at, submitted_at, channel, missing, checking
FROM enrolment WHERE affiliation_id = ANY ($1)
"""

SIGNATURES = """
SELECT affiliation_id, name_sealed, signed_at, form_version, text_version, language
FROM signature WHERE affiliation_id = ANY ($1)
"""

COVERAGES = """
SELECT affiliation_id, id, formula, starts_on, ends_on, iban_sealed, account_holder, teletransmission, created_at
FROM coverage WHERE affiliation_id = ANY ($1)
"""

DEPENDANTS = """
SELECT affiliation_id, id, kind, last_name, first_names, birth_date, nir_sealed, civil_link, attached_to, student
FROM dependant WHERE affiliation_id = ANY ($1) ORDER BY affiliation_id, id
"""

WAIVERS = """
SELECT affiliation_id, reason, starts_on, ends_on, ended_on, sworn, created_at
FROM waiver WHERE affiliation_id = ANY ($1)
"""

DOCUMENTS = """
SELECT affiliation_id, id, piece, name_sealed, text_sealed, media_type, size, pages, sha256, object_key,
       data_key_sealed, scan, uploaded_by, uploaded_at, verdict, verdict_reason, verdict_at
FROM document WHERE affiliation_id = ANY ($1) ORDER BY affiliation_id, uploaded_at, id
"""

MESSAGES = """
SELECT d.affiliation_id, d.kind, d.medium, d.state, d.reason, d.prepared_at, d.handed_over_at, d.told_at,
       m.recipient, m.subject, m.text
FROM dispatch d LEFT JOIN local_message m ON m.dispatch_id = d.id
WHERE d.affiliation_id = ANY ($1) ORDER BY d.affiliation_id, d.prepared_at, d.id
"""

EVENTS = """
SELECT affiliation_id, kind, at, actor_kind FROM affiliation_event
WHERE affiliation_id = ANY ($1) ORDER BY affiliation_id, number
"""

# Who did what with their file: the kind of actor, not which member of staff.
AUDIT = """
SELECT affiliation_id, at, event, actor_kind FROM audit_log
WHERE affiliation_id = ANY ($1) ORDER BY affiliation_id, id
"""

SESSIONS = """
SELECT affiliation_id, medium, created_at, expires_at FROM employee_session
WHERE affiliation_id = ANY ($1) ORDER BY affiliation_id, created_at
"""

"""What an employer can prove of its employees: their affiliations with what these ended in, and what left for them."""

from __future__ import annotations

# An establishment is where the person is now: payroll may have said that they moved.
_PLACE = "coalesce(v.establishment_id, a.establishment_id)"

# $1 company, $2 establishment or null, $3 messages that invite, $4 messages that remind: of each person every
# affiliation, the newest first.
PEOPLE = f"""
SELECT e.id AS employee_id, e.civility, e.first_names, e.last_name, e.search_name, a.id, a.declared_at, a.status,
       a.closure, a.hired_on, {_PLACE} AS establishment_id, v.formula, v.starts_on AS covered_from,
       v.ends_on AS covered_until, w.reason AS waiver_reason, w.starts_on AS waived_from,
       coalesce(w.ended_on, w.ends_on) AS waived_until, w.sworn, sent.invited_at, sent.invited_by, sent.reminders,
       sent.last_at
FROM affiliation a
JOIN employee e ON e.id = a.employee_id
LEFT JOIN coverage v ON v.affiliation_id = a.id
LEFT JOIN waiver w ON w.affiliation_id = a.id
CROSS JOIN LATERAL (
    SELECT min(d.handed_over_at) FILTER (WHERE d.kind = ANY ($3)) AS invited_at,
           (array_agg(d.medium ORDER BY d.handed_over_at) FILTER (WHERE d.kind = ANY ($3)))[1] AS invited_by,
           count(*) FILTER (WHERE d.kind = ANY ($4)) AS reminders, max(d.handed_over_at) AS last_at
    FROM dispatch d
    WHERE d.affiliation_id = a.id AND d.state IN ('handed_over', 'delivered') AND d.handed_over_at IS NOT NULL
      AND (d.kind = ANY ($3) OR d.kind = ANY ($4))
) AS sent
WHERE a.company_id = $1 AND ($2::uuid IS NULL OR {_PLACE} = $2)
ORDER BY e.search_name COLLATE "C", e.id, a.declared_at DESC, a.id DESC
"""  # noqa: S608

# Whom payroll declares and nobody pre-affiliated.
PROPOSALS = """
SELECT p.id, p.establishment_id, p.began_on, p.person_sealed FROM hire_proposal p
WHERE p.company_id = $1 AND ($2::uuid IS NULL OR p.establishment_id = $2) AND p.state = 'open'
ORDER BY p.began_on, p.id
"""

COMPANIES = """
SELECT id, siren, name, insurer, insurer_reference FROM company WHERE id = ANY ($1::uuid[]) ORDER BY name, siren
"""

PLACES = "SELECT id, siret, name, city, closed_on FROM establishment WHERE company_id = $1 ORDER BY name, siret"

# What a declaration of exemption was signed with; for the system role: an employer reads no signatures but these.
WAIVER_SIGNATURES = """
SELECT s.affiliation_id, s.name_sealed, s.signed_at, s.text_version, s.text_sha256, n.channel
FROM signature s
JOIN waiver w ON w.affiliation_id = s.affiliation_id
JOIN enrolment n ON n.affiliation_id = s.affiliation_id
WHERE s.affiliation_id = ANY ($1) AND s.company_id = $2
"""

# --- packs; for the system role, of a company that the caller administers

MOST_SHOWN = 20

# The user's own ($1), of a company ($2), the newest first.
JOBS = f"""
SELECT j.id, j.state, j.size, j.requested_at, j.finished_at, j.expires_at,
       j.state = 'done' AND (j.object_key IS NULL OR j.expires_at <= now()) AS expired
FROM export_job j
WHERE j.user_id = $1 AND j.kind = $3 AND j.company_ids = ARRAY[$2::uuid]
ORDER BY j.requested_at DESC, j.id DESC LIMIT {MOST_SHOWN}
"""  # noqa: S608

# What the audit log keeps of every pack that was made for a company, by whomever.
MADE = f"""
SELECT l.at, l.object_id::uuid AS id, l.actor_id::uuid AS user_id, l.details, u.first_name, u.last_name
FROM audit_log l LEFT JOIN portal_user u ON u.id = l.actor_id::uuid
WHERE l.company_id = $1 AND l.event = 'data.evidence_exported'
ORDER BY l.at DESC, l.id DESC LIMIT {MOST_SHOWN}
"""  # noqa: S608

# Which company a pack of the user's is about.
JOB_COMPANY = "SELECT company_ids[1] FROM export_job WHERE id = $1 AND user_id = $2 AND kind = $3"

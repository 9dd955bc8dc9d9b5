"""The company register as staff read and keep it."""

from __future__ import annotations

# What a list shows. A search walks the names in their order, or finds by an index; both end at $1.
_LISTED = """
SELECT c.id, c.siren, c.name, c.insurer, c.insurer_reference, c.activated_at IS NOT NULL AS activated,
       s.open, s.closed, s.cities
FROM found f JOIN company c ON c.id = f.id
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE s.closed_on IS NULL OR s.closed_on > current_date) AS open,
           count(*) FILTER (WHERE s.closed_on <= current_date) AS closed,
           (array_agg(DISTINCT s.city ORDER BY s.city))[:3] AS cities
    FROM establishment s WHERE s.company_id = c.id) s
ORDER BY c.search_name COLLATE "C", c.id
"""

# $1: how many, $2 and $3: the search name and the id of the last one that was shown.
_AFTER = """(c.search_name COLLATE "C", c.id) > ($2 COLLATE "C", $3::uuid)
    ORDER BY c.search_name COLLATE "C", c.id LIMIT $1"""

ALL = f"WITH found AS (SELECT c.id FROM company c WHERE {_AFTER}) {_LISTED}"  # noqa: S608 (our own text)

# $4: part of the name of the company or of one of its establishments, as `like` patterns of each word.
BY_WORDS = f"""
WITH named AS (
    SELECT c.id FROM company c WHERE c.search_name LIKE ALL ($4::text[])
    UNION SELECT s.company_id FROM establishment s WHERE s.search_name LIKE ALL ($4::text[])
), found AS (
    SELECT c.id FROM named n JOIN company c ON c.id = n.id WHERE {_AFTER}
) {_LISTED}"""  # noqa: S608 (our own text)

# $4: a SIREN, a SIRET or the insurer's reference, without spaces, in capitals.
BY_NUMBER = f"""
WITH named AS (
    SELECT c.id FROM company c WHERE c.siren = $4 OR upper(c.insurer_reference) = $4
    UNION SELECT s.company_id FROM establishment s WHERE s.siret = $4
), found AS (
    SELECT c.id FROM named n JOIN company c ON c.id = n.id WHERE {_AFTER}
) {_LISTED}"""  # noqa: S608 (our own text)

PLACE = "SELECT search_name, id FROM company WHERE id = $1"

COMPANY = """
SELECT c.id, c.siren, c.name, c.insurer, c.insurer_reference, c.emits_dsn, c.created_at, c.activated_at,
       c.office_line1, c.office_line2, c.office_postcode, c.office_city,
       k.email AS contact_email, k.updated_at AS contact_updated_at,
       (SELECT count(*) FROM affiliation a
        WHERE a.company_id = c.id AND a.status NOT IN ('finalised', 'abandoned')) AS open_affiliations
FROM company c LEFT JOIN company_contact k ON k.company_id = c.id WHERE c.id = $1
"""

ESTABLISHMENTS = """
SELECT s.id, s.siret, s.name, s.postcode, s.city, s.closed_on FROM establishment s
WHERE s.company_id = $1 AND ($2::uuid IS NULL OR s.id = $2)
ORDER BY s.closed_on IS NOT NULL, s.name, s.id LIMIT 500
"""

USERS = """
SELECT u.id, u.email, u.first_name, u.last_name, m.role, m.ends_on, m.mandate_id IS NOT NULL AS mandate,
       CASE WHEN u.suspended_at IS NOT NULL OR m.suspended_at IS NOT NULL THEN 'suspended'
            WHEN m.accepted_at IS NULL THEN 'invited' ELSE 'active' END AS state
FROM membership m JOIN portal_user u ON u.id = m.user_id
WHERE m.company_id = $1 AND m.revoked_at IS NULL AND u.revoked_at IS NULL
  AND (m.ends_on IS NULL OR m.ends_on >= (now() AT TIME ZONE 'Europe/Paris')::date)
ORDER BY m.role, u.last_name, u.first_name, u.id LIMIT 200
"""

RECOVERIES = """
SELECT id, first_name, last_name, state, requested_at, grant_at, ended_at FROM company_recovery
WHERE company_id = $1 ORDER BY requested_at DESC LIMIT 20
"""

# --- keeping it

LOCK = """
SELECT id, siren, name, insurer, insurer_reference, emits_dsn FROM company WHERE id = $1 FOR NO KEY UPDATE
"""

# Nothing where the SIREN is known.
ADD = """
INSERT INTO company (siren, name, insurer, insurer_reference, emits_dsn) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (siren) DO NOTHING RETURNING id
"""

CORRECT = "UPDATE company SET name = $2, insurer = $3, insurer_reference = $4, emits_dsn = $5 WHERE id = $1"

# Nothing where the SIRET is known.
ADD_ESTABLISHMENT = """
INSERT INTO establishment (company_id, siret, name, postcode, city) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (siret) DO NOTHING RETURNING id
"""

# Null: open again. Nothing where it is so already.
CLOSE = """
UPDATE establishment SET closed_on = $3 WHERE company_id = $1 AND id = $2 AND closed_on IS DISTINCT FROM $3 RETURNING id
"""

CONTACT = "SELECT email FROM company_contact WHERE company_id = $1"

REPLACE_CONTACT = """
INSERT INTO company_contact (company_id, email) VALUES ($1, $2)
ON CONFLICT (company_id) DO UPDATE SET email = excluded.email, updated_at = now()
"""

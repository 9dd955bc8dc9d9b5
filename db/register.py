"""Companies and their establishments."""

from __future__ import annotations

# The new ids come with the look-up: a declaration needs them before it writes (they bind the encrypted fields).
ESTABLISHMENT_BY_SIRET = """
SELECT s.id, s.company_id, s.siret, s.name, s.city, s.closed_on, c.siren, uuidv7() AS employee_id,
       uuidv7() AS affiliation_id
FROM establishment s JOIN company c ON c.id = s.company_id WHERE s.siret = $1
"""

COMPANIES = """
SELECT c.id, c.siren, c.name, c.insurer, c.insurer_reference, c.emits_dsn,
       (SELECT count(*) FROM establishment s WHERE s.company_id = c.id) AS establishments
FROM company c ORDER BY c.name, c.id
"""

ESTABLISHMENTS = """
SELECT s.id, s.siret, s.name, s.postcode, s.city, s.closed_on, c.siren
FROM establishment s JOIN company c ON c.id = s.company_id ORDER BY s.name, s.id
"""

ADD_COMPANY = """
INSERT INTO company (siren, name, insurer, insurer_reference, emits_dsn) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (siren) DO UPDATE SET name = excluded.name RETURNING id
"""

ADD_ESTABLISHMENT = """
INSERT INTO establishment (company_id, siret, name, postcode, city) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (siret) DO UPDATE SET name = excluded.name RETURNING id
"""

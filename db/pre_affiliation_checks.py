"""What is looked up while a pre-affiliation is typed."""

from __future__ import annotations

_PLACE = """
SELECT s.siret, s.name, s.city, s.postcode, c.siren, c.name AS company
FROM establishment s JOIN company c ON c.id = s.company_id
"""

PLACE = f"{_PLACE}WHERE s.siret = $1"

# Those that a person can be declared for, by company.
OPEN_ESTABLISHMENTS = f"""{_PLACE}WHERE s.closed_on IS NULL OR s.closed_on > $1
ORDER BY c.name, c.id, s.name, s.city, s.siret
"""

# $1: the caller's companies, so that the index on (company, person) serves. What is over says nothing any more.
KNOWN_PERSON = """
SELECT a.id, a.status, a.status_at, s.siret, s.name AS establishment, s.city, v.id IS NOT NULL AS insured
FROM employee e
JOIN affiliation a ON a.employee_id = e.id
JOIN establishment s ON s.id = a.establishment_id
LEFT JOIN coverage v ON v.affiliation_id = a.id AND (v.ends_on IS NULL OR v.ends_on >= $3)
WHERE e.company_id = ANY ($1) AND e.nir_index = $2
  AND (a.status IN ('preparing', 'sent', 'started') OR v.id IS NOT NULL)
ORDER BY a.declared_at DESC LIMIT 5
"""

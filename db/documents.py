"""Documents of an enrolment: their rows; the files themselves lie encrypted in the object store."""

from __future__ import annotations

ADD = """
INSERT INTO document (id, company_id, affiliation_id, piece, name_sealed, text_sealed, media_type, size, pages, sha256,
                      object_key, data_key_sealed, quality, scan, uploaded_by, verdict, verdict_by, verdict_at)
SELECT $2, company_id, id, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,
       CASE WHEN $15::text IS NOT NULL THEN now() END
FROM affiliation WHERE id = $1
RETURNING uploaded_at
"""

OF_AFFILIATION = """
SELECT id, piece, name_sealed, text_sealed, media_type, size, pages, quality, scan, uploaded_by, uploaded_at, verdict,
       verdict_reason
FROM document WHERE affiliation_id = $1 ORDER BY uploaded_at, id
"""

GET = """
SELECT id, company_id, affiliation_id, piece, name_sealed, media_type, size, sha256, object_key, data_key_sealed, scan,
       verdict, uploaded_at
FROM document WHERE id = $1
"""

# What one link may still send (security.md U-07): files and bytes in all, and files in the last hour.
QUOTA = """
SELECT count(*) AS files, coalesce(sum(size), 0) AS bytes,
       count(*) FILTER (WHERE uploaded_at > now() - interval '1 hour') AS last_hour
FROM document WHERE affiliation_id = $1
"""

REMOVE = "DELETE FROM document WHERE id = $1 AND affiliation_id = $2 AND verdict IS NULL RETURNING object_key"

SCANNED = "UPDATE document SET scan = $2 WHERE id = $1 AND scan = 'pending' RETURNING affiliation_id"

PENDING = """
SELECT id, affiliation_id, company_id, object_key, data_key_sealed, sha256 FROM document
WHERE scan = 'pending' ORDER BY uploaded_at LIMIT $1
"""

DELETE_PENDING = "DELETE FROM document WHERE id = $1 AND scan = 'pending' RETURNING piece, object_key"

COUNT_PENDING = "SELECT count(*) FROM document WHERE scan = 'pending'"

# --- staff's check

TO_CHECK = """
SELECT a.id AS affiliation_id, n.submitted_at, n.channel, n.missing, s.name AS establishment, e.first_names,
       e.last_name,
       (SELECT count(*) FROM document d WHERE d.affiliation_id = a.id AND d.verdict IS NULL) AS documents
FROM enrolment n
JOIN affiliation a ON a.id = n.affiliation_id
JOIN employee e ON e.id = a.employee_id
JOIN establishment s ON s.id = a.establishment_id
WHERE n.checking AND n.submitted_at IS NOT NULL
ORDER BY n.submitted_at LIMIT $1
"""

LOCK_ENROLMENT = """
SELECT n.missing, n.checking, n.pieces_version, n.submitted_at, n.company_id
FROM enrolment n WHERE n.affiliation_id = $1 FOR UPDATE
"""

JUDGE = """
UPDATE document SET verdict = $3, verdict_reason = $4, verdict_by = $5, verdict_at = now()
WHERE affiliation_id = $1 AND piece = $2 AND verdict IS NULL
RETURNING id
"""

# What is awaited and checked now; the workflow is told the version.
SET_PIECES = """
UPDATE enrolment SET missing = $2, checking = $3, pieces_version = pieces_version + 1, saved_at = now(),
       checking_since = CASE WHEN $3 THEN coalesce(checking_since, now()) END
WHERE affiliation_id = $1
RETURNING pieces_version
"""

NIR_IN_CONFLICT = """
SELECT EXISTS (SELECT FROM audit_log WHERE affiliation_id = $1 AND event = 'data.rectified'
               AND details ->> 'what' = 'nir_in_conflict')
"""

# --- rows and objects held against each other, every night

OBJECT_KEYS = """
SELECT object_key FROM document WHERE object_key = ANY ($1)
UNION ALL SELECT object_key FROM export_job WHERE object_key = ANY ($1)
UNION ALL SELECT object_key FROM dsn_import WHERE object_key = ANY ($1)
UNION ALL SELECT object_key FROM contact_file WHERE object_key = ANY ($1)
"""

OBJECTS_AFTER = """
(SELECT id, object_key FROM document WHERE id > $1 AND uploaded_at < $2 ORDER BY id LIMIT $3)
UNION ALL
(SELECT id, object_key FROM dsn_import
 WHERE id > $1 AND received_at < $2 AND object_key IS NOT NULL ORDER BY id LIMIT $3)
UNION ALL
(SELECT id, object_key FROM contact_file
 WHERE id > $1 AND uploaded_at < $2 AND object_key IS NOT NULL ORDER BY id LIMIT $3)
ORDER BY id LIMIT $3
"""

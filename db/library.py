"""« Mes documents pratiques »: documents, and every version that each ever had."""

from __future__ import annotations

_VIEW = """
SELECT d.slug, d.category, d.title, d.summary, d.made AS makeable, d.retired_at, v.number, v.content IS NULL AS made,
       v.size, v.words, v.added_at,
       (SELECT sum(one.downloads)::bigint FROM library_version one WHERE one.slug = d.slug) AS downloads
FROM library_document d
CROSS JOIN LATERAL (SELECT * FROM library_version WHERE slug = d.slug ORDER BY number DESC LIMIT 1) v
"""

# $1: those that nobody finds any more too
LIST = f"{_VIEW} WHERE $1 OR d.retired_at IS NULL ORDER BY d.category, d.place, d.title"

ONE = f"{_VIEW} WHERE d.slug = $1"

VERSIONS = """
SELECT v.number, v.content IS NULL AS made, v.size, v.downloads, v.added_at,
       u.first_name || ' ' || u.last_name AS added_by
FROM library_version v LEFT JOIN portal_user u ON u.id = v.added_by
WHERE v.slug = $1 ORDER BY v.number DESC
"""

# $2: a version, null: the latest of a document that is not retired
CONTENT = """
SELECT v.number, v.content FROM library_version v JOIN library_document d USING (slug)
WHERE v.slug = $1 AND (v.number = $2 OR $2 IS NULL AND d.retired_at IS NULL) ORDER BY v.number DESC LIMIT 1
"""

DOWNLOADED = "UPDATE library_version SET downloads = downloads + 1 WHERE slug = $1 AND number = $2"

# Documents whose title is said, at most one word in three left out, in a text ($1); $2: how many.
NAMED = """
SELECT slug, title FROM (
    SELECT d.slug, d.title, d.place, (
        SELECT count(*) FILTER (WHERE word.lexeme = ANY (asked.lexemes))::float8 / nullif(count(*), 0)
        FROM unnest(to_tsvector('french', search_form(d.title))) AS word
    ) AS said
    FROM library_document d,
         (SELECT tsvector_to_array(to_tsvector('french', search_form($1))) AS lexemes OFFSET 0) AS asked
    WHERE d.retired_at IS NULL
) AS document
WHERE said > 0.6 ORDER BY said DESC, place, title LIMIT $2
"""

ADD = """
INSERT INTO library_document (slug, category, title, summary) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING RETURNING 1
"""

# Versions of one document are added one after the other.
LOCK = "SELECT made FROM library_document WHERE slug = $1 FOR UPDATE"

# $2 content, null: made by the portal; $3 size, $4 words, $5 who
ADD_VERSION = """
INSERT INTO library_version (slug, number, content, size, words, added_by)
SELECT $1, coalesce(max(number), 0) + 1, $2, $3, $4, $5 FROM library_version WHERE slug = $1 RETURNING number
"""

# $2: retired or found again
RETIRE = """
UPDATE library_document SET retired_at = CASE WHEN $2 THEN coalesce(retired_at, now()) END WHERE slug = $1 RETURNING 1
"""

"""What the assistant answers from, what it was asked, and how an entry is found.

A question's words are compared with those of every published entry, any of them, a rare word counting for more than a
common one; a word that no entry has is read as the one that is written most like it. Beside that stands how alike the
question and the entry's own ways to ask are as a whole: it finds what is misspelt. libraries.md §15 has the comparison.
"""

from __future__ import annotations

KEPT_DAYS = 30
MOST_FOUND = 3
LEAST_ALIKE = 0.45  # of two words, one of them misspelt

# Lexemes of asking itself, which PostgreSQL's list of French stop words leaves in: they tell no entry from another.
_ASKING = (
    *("quel", "quoi", "comment", "comm", "pourquoi", "fair", "fait", "fais", "faut", "peut", "peux", "puis", "dois"),
    *("doit", "doi", "doiv", "veux", "voudr", "souhait", "bonjour", "merc", "svp", "les"),
)

_ENTRY = "e.id, e.slug, e.question, e.variants, e.answer, e.page, e.page_label, e.reason, e.state, e.version"

# $1 what is asked, $2 how many
FIND = f"""
WITH entry AS MATERIALIZED (
    SELECT {_ENTRY}, e.search, e.ways FROM faq_entry e WHERE e.state = 'published'
), word AS MATERIALIZED (
    SELECT entry.id, w.lexeme,
           CASE WHEN 'A' = ANY (w.weights) THEN 1.0 WHEN 'B' = ANY (w.weights) THEN 0.85 ELSE 0.25 END AS weight
    FROM entry, unnest(entry.search) AS w
), known AS MATERIALIZED (
    SELECT lexeme, ln((SELECT count(*) FROM entry) / count(*)::float8 + 1) AS rarity FROM word GROUP BY lexeme
), asked AS MATERIALIZED (
    SELECT a.lexeme FROM unnest(to_tsvector('french', $1) || to_tsvector('french', search_form($1))) AS a
    WHERE a.lexeme <> ALL (ARRAY {list(_ASKING)})
), read_as AS MATERIALIZED (
    SELECT coalesce(k.lexeme, like_it.lexeme) AS lexeme, coalesce(k.rarity, like_it.rarity) AS rarity,
           CASE WHEN k.lexeme IS NULL THEN like_it.alike ELSE 1 END AS sure
    FROM asked a LEFT JOIN known k USING (lexeme) LEFT JOIN LATERAL (
        SELECT o.lexeme, o.rarity, similarity(o.lexeme, a.lexeme) AS alike FROM known o
        WHERE k.lexeme IS NULL AND length(a.lexeme) > 3 AND similarity(o.lexeme, a.lexeme) >= {LEAST_ALIKE}
        ORDER BY 3 DESC, o.lexeme LIMIT 1
    ) AS like_it ON true
), whole AS (
    SELECT sum(coalesce(rarity, 3) * coalesce(sure, 1)) AS mass FROM read_as
), by_words AS (
    SELECT w.id, sum(r.rarity * r.sure * w.weight) AS mass FROM read_as r JOIN word w USING (lexeme) GROUP BY w.id
), scored AS (
    SELECT entry.*, coalesce(b.mass / nullif((SELECT mass FROM whole), 0), 0) AS words, alike.most AS alike
    FROM entry LEFT JOIN by_words b USING (id), (SELECT search_form($1) AS text OFFSET 0) AS plain, LATERAL (
        SELECT max(similarity(way, plain.text)) AS most FROM unnest(entry.ways) AS way
    ) AS alike
)
SELECT id, slug, question, answer, page, page_label, reason, words::float8, alike::float8,
       (words + 0.8 * alike)::float8 AS score
FROM scored WHERE words > 0 OR alike > 0.3
ORDER BY score DESC, slug LIMIT $2
"""  # noqa: S608 (our own text)

# --- what was asked

# $1 id, $2 user, $3 text, $4 kind, $5 entry
ADD_QUESTION = """
INSERT INTO assistant_question (id, user_id, text_sealed, kind, entry_id) VALUES ($1, $2, $3, $4, $5)
"""
NEW_ID = "SELECT uuidv7()"
HELPED = "UPDATE assistant_question SET helpful = $3 WHERE id = $1 AND user_id = $2 RETURNING 1"

# What nobody had an answer for, or did not help: what staff write next.
UNANSWERED = """
SELECT q.id, q.text_sealed, q.asked_at, q.kind, e.question FROM assistant_question q
LEFT JOIN faq_entry e ON e.id = q.entry_id
WHERE q.text_sealed IS NOT NULL AND (q.kind = 'none' OR NOT q.helpful)
ORDER BY q.asked_at DESC, q.id DESC LIMIT $1
"""
PURGE = "DELETE FROM assistant_question WHERE id IN (SELECT id FROM assistant_question WHERE asked_at < $1 LIMIT $2)"

# --- the entries

# What comes with a release: $1 slug, $2 question, $3 variants, $4 answer, $5 page, $6 its name, $7 reason. What staff
# have edited stays; what has not changed is not written.
LOAD = """
INSERT INTO faq_entry AS e (slug, question, variants, answer, page, page_label, reason, state)
VALUES ($1, $2, $3, $4, $5, $6, $7, 'published')
ON CONFLICT (slug) DO UPDATE SET question = $2, variants = $3, answer = $4, page = $5, page_label = $6, reason = $7,
    version = e.version + 1, updated_at = now()
WHERE NOT e.edited
  AND (e.question, e.variants, e.answer, e.page, e.page_label, e.reason) IS DISTINCT FROM ($2, $3, $4, $5, $6, $7)
RETURNING 1
"""

# $1 how many days count
LIST = f"""
SELECT {_ENTRY}, e.updated_at, e.edited, u.first_name AS updated_by,
       (SELECT count(*) FROM assistant_question q
        WHERE q.entry_id = e.id AND q.asked_at > now() - make_interval(days => $1)) AS asked,
       (SELECT count(*) FROM assistant_question q
        WHERE q.entry_id = e.id AND NOT q.helpful AND q.asked_at > now() - make_interval(days => $1)) AS unhelpful
FROM faq_entry e LEFT JOIN portal_user u ON u.id = e.updated_by
ORDER BY e.state DESC, e.question COLLATE "C", e.id
"""  # noqa: S608 (our own text)
ONE = f"SELECT {_ENTRY} FROM faq_entry e WHERE e.id = $1"  # noqa: S608 (our own text)

ADD = """
INSERT INTO faq_entry (id, slug, question, variants, answer, page, page_label, reason, state, updated_by, edited)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, true)
"""
SLUG_TAKEN = "SELECT 1 FROM faq_entry WHERE slug = $1"

# $10 the version that was looked at
CHANGE = """
UPDATE faq_entry SET question = $2, variants = $3, answer = $4, page = $5, page_label = $6, reason = $7, state = $8,
       updated_by = $9, updated_at = now(), edited = true, version = version + 1
WHERE id = $1 AND version = $10 RETURNING 1
"""

SUGGESTED = """
SELECT id, question FROM faq_entry WHERE state = 'published' AND slug = ANY ($1) ORDER BY array_position($1, slug)
"""

"""What a user has not seen yet, and what they are to be written to about: read from the timelines, by marks.

An event counts from when it was recorded, not from when it happened: what is recorded late is news all the same.
"""

from __future__ import annotations

from domain.notifications import SOON_DAYS, USUAL

NEWEST_DAYS = 30  # what is older is news to nobody
MOST_COUNTED = 100  # « 99+ »

# As the partial indexes of 0020 have them.
_NOTABLE = "kind IN ('finalised', 'delivery_failed', 'message_refused', 'declined', 'abandoned')"
_OPEN = "status IN ('preparing', 'sent', 'started')"
_ENDING = f"next_step_kind = 'abandonment' AND a.{_OPEN}"
_SOON = f"interval '{SOON_DAYS} days'"
_TO_CORRECT = f"a.attention IS NOT DISTINCT FROM 'unreachable' AND a.{_OPEN}"

# The user's own happenings, each written to them by a message of its own: shown under « Notifications ».
_OWN = """
kind IN ('export_ready', 'export_failed', 'review_due', 'mandate_asked', 'mandate_ending', 'contact_answered',
         'import_done', 'webhook_stopped')
"""
_LEFT = "medium = 'email' AND state IN ('handed_over', 'refused', 'unknown')"

# A message of « Messages » that waits to be opened there: what « Notifications » shows too does not.
UNOPENED = f"n.read_at IS NULL AND n.kind <> 'digest' AND NOT n.{_OWN.strip()}"

# Up to when the user `u` has seen everything.
_SEEN = f"""
greatest(coalesce((SELECT k.read_until FROM notification_mark k WHERE k.user_id = u.id), u.created_at),
         now() - interval '{NEWEST_DAYS} days')
"""  # noqa: S608 (our own text)


def unread(companies: str) -> str:
    """Two columns of a statement on a user `u`: what is new in these companies or to them, and messages not opened.
    `companies`: an expression for their ids."""
    return f"""
       (SELECT count(*) FROM (
           SELECT 1 FROM (SELECT {_SEEN} AS until) AS seen CROSS JOIN unnest({companies}) AS mine (id)
           CROSS JOIN LATERAL (
               (SELECT 1 FROM affiliation_event v
                WHERE v.company_id = mine.id AND v.{_NOTABLE} AND v.recorded_at > seen.until LIMIT {MOST_COUNTED})
               UNION ALL
               (SELECT 1 FROM affiliation a
                WHERE a.company_id = mine.id AND a.{_ENDING} AND a.next_step_at > seen.until + {_SOON}
                  AND a.next_step_at <= now() + {_SOON} LIMIT {MOST_COUNTED})) AS of_company
           UNION ALL
           SELECT 1 FROM notice n WHERE n.user_id = u.id AND n.{_OWN} AND n.{_LEFT} AND n.created_at > {_SEEN}
           LIMIT {MOST_COUNTED}) AS news) AS news,
       (SELECT count(*) FROM (
           SELECT 1 FROM notice n
           WHERE n.user_id = u.id AND n.{_LEFT} AND {UNOPENED}
             AND n.created_at > now() - interval '{NEWEST_DAYS} days' LIMIT {MOST_COUNTED}) AS letters) AS letters
"""  # noqa: S608 (our own text)


# What is new to a user ($1) in these companies ($3), as long as the session ($2) is open and the rights are theirs.
UNREAD = f"""
SELECT {unread("array(SELECT m.company_id FROM membership m WHERE m.user_id = u.id AND m.company_id = ANY ($3::uuid[]) AND is_active(m))")}
FROM portal_user u JOIN portal_session s ON s.id = $2 AND s.user_id = u.id
WHERE u.id = $1 AND s.stage = 'open' AND s.expires_at > now() AND s.password_version = u.password_version
  AND u.suspended_at IS NULL AND u.revoked_at IS NULL
"""  # noqa: E501, S608 (our own text)

# --- the list, newest first, before ($n, $n + 1, $n + 2)

# Up to when the user has seen everything.
SEEN_UNTIL = f"SELECT {_SEEN} FROM portal_user u WHERE u.id = $1"  # noqa: S608 (our own text)

# As `figures.LATEST`, of what is notable in the companies $1.
LATEST = f"""
SELECT v.affiliation_id, v.number, v.kind, v.at, v.recorded_at, v.actor_kind, v.details, e.first_names, e.last_name,
       s.name AS establishment, c.siren, c.name AS company, {_TO_CORRECT} AS to_correct
FROM (
    SELECT v.* FROM unnest($1::uuid[]) AS mine (id)
    CROSS JOIN LATERAL (
        SELECT company_id, affiliation_id, number, kind, at, recorded_at, actor_kind, details FROM affiliation_event
        WHERE company_id = mine.id AND {_NOTABLE}
          AND ($2::timestamptz IS NULL OR (at, affiliation_id, number) < ($2, $3::uuid, $4::integer))
        ORDER BY at DESC, affiliation_id DESC, number DESC LIMIT $5
    ) v
    ORDER BY at DESC, affiliation_id DESC, number DESC LIMIT $5
) v
JOIN affiliation a ON a.id = v.affiliation_id
JOIN employee e ON e.id = a.employee_id
JOIN establishment s ON s.id = a.establishment_id
JOIN company c ON c.id = v.company_id
ORDER BY v.at DESC, v.affiliation_id DESC, v.number DESC
"""  # noqa: S608 (our own text)

# Affiliations of the companies $1 that are abandoned within days unless something moves, numbered -1.
ENDING = f"""
SELECT a.id AS affiliation_id, -1 AS number, a.next_step_at - {_SOON} AS at, a.next_step_at AS ends_at,
       e.first_names, e.last_name, s.name AS establishment, c.siren, c.name AS company
FROM unnest($1::uuid[]) AS mine (id)
CROSS JOIN LATERAL (
    SELECT a.* FROM affiliation a
    WHERE a.company_id = mine.id AND a.{_ENDING} AND a.next_step_at <= now() + {_SOON}
      AND ($2::timestamptz IS NULL OR (a.next_step_at - {_SOON}, a.id, -1) < ($2, $3::uuid, $4::integer))
    ORDER BY a.next_step_at DESC, a.id DESC LIMIT $5
) a
JOIN employee e ON e.id = a.employee_id
JOIN establishment s ON s.id = a.establishment_id
JOIN company c ON c.id = a.company_id
ORDER BY a.next_step_at DESC, a.id DESC LIMIT $5
"""  # noqa: S608 (our own text)

# The user's ($1) own, of one company ($2) or of all, numbered 0.
OWN = f"""
SELECT n.id, 0 AS number, n.kind, n.details, n.created_at AS at, c.name AS company, c.siren
FROM notice n LEFT JOIN company c ON c.id = n.company_id
WHERE n.user_id = $1 AND n.{_OWN} AND n.{_LEFT} AND ($2::uuid IS NULL OR n.company_id = $2)
  AND ($3::timestamptz IS NULL OR (n.created_at, n.id, 0) < ($3, $4::uuid, $5::integer))
ORDER BY n.created_at DESC, n.id DESC LIMIT $6
"""  # noqa: S608 (our own text)

# --- marks

READ = """
INSERT INTO notification_mark AS k (user_id, read_until) VALUES ($1, least($2::timestamptz, now()))
ON CONFLICT (user_id) DO UPDATE SET read_until = greatest(k.read_until, excluded.read_until)
"""

MESSAGE_READ = "UPDATE notice SET read_at = now() WHERE id = $2 AND user_id = $1 AND read_at IS NULL"

MESSAGES_READ = "UPDATE notice SET read_at = now() WHERE user_id = $1 AND read_at IS NULL AND created_at <= $2"

# --- preferences

PREFERENCES = """
SELECT company_id, kind, how FROM notification_preference WHERE user_id = $1 AND company_id = ANY ($2::uuid[])
"""

PREFER = """
INSERT INTO notification_preference (user_id, company_id, kind, how)
SELECT $1, company_id, kind, how FROM unnest($2::uuid[]) AS of (company_id)
CROSS JOIN unnest($3::text[], $4::text[]) AS chosen (kind, how)
ON CONFLICT (user_id, company_id, kind) DO UPDATE SET how = excluded.how
"""

# A way chosen for the first time begins with what comes.
BEGIN_TELLING = """
INSERT INTO notification_told (user_id, how, told_until) SELECT DISTINCT $1::uuid, how, now()
FROM unnest($2::text[]) AS of (how) WHERE how <> 'none' ON CONFLICT DO NOTHING
"""

# --- who is to be written to, of what was recorded from $3 up to $1, in one of the ways $2

_USUALLY = "CASE n.kind {} END".format(" ".join(f"WHEN '{kind}' THEN '{how}'" for kind, how in USUAL.items()))

# Whoever has never been told begins with what came after their rights.
_DUE = f"""
SELECT m.user_id, m.company_id, n.kind, n.affiliation_id
FROM (
    SELECT v.company_id, v.affiliation_id, v.recorded_at AS at,
           CASE v.kind WHEN 'finalised' THEN 'finalised' WHEN 'declined' THEN 'ended' WHEN 'abandoned' THEN 'ended'
                ELSE 'to_correct' END AS kind
    FROM affiliation_event v JOIN affiliation a ON a.id = v.affiliation_id
    WHERE v.{_NOTABLE} AND v.recorded_at > $3::timestamptz AND v.recorded_at <= $1::timestamptz
      AND (v.kind NOT IN ('delivery_failed', 'message_refused') OR {_TO_CORRECT})
    UNION ALL
    SELECT a.company_id, a.id, a.next_step_at - {_SOON}, 'abandoned_soon' FROM affiliation a
    WHERE a.{_ENDING} AND a.next_step_at > $3 + {_SOON} AND a.next_step_at <= $1 + {_SOON}
) AS n
JOIN membership m ON m.company_id = n.company_id AND is_active(m) AND m.accepted_at < n.at
JOIN portal_user u ON u.id = m.user_id AND u.suspended_at IS NULL AND u.revoked_at IS NULL
LEFT JOIN notification_preference p ON p.user_id = m.user_id AND p.company_id = m.company_id AND p.kind = n.kind
CROSS JOIN LATERAL (SELECT coalesce(p.how, {_USUALLY}) AS how) AS chosen
LEFT JOIN notification_told t ON t.user_id = m.user_id AND t.how = chosen.how
WHERE chosen.how = ANY ($2::text[])
  AND n.at > coalesce(t.told_until, '-infinity')
"""  # noqa: S608 (our own text)

# Users after $4, by id.
DUE_USERS = f"""
SELECT DISTINCT user_id FROM ({_DUE.strip()}) AS due WHERE user_id > $4 ORDER BY user_id LIMIT $5
"""  # noqa: S608 (our own text)

# Of one user ($4): affiliations by company and kind.
DUE = f"""
SELECT company_id, kind, count(DISTINCT affiliation_id) AS count FROM ({_DUE.strip()}) AS due WHERE user_id = $4
GROUP BY company_id, kind ORDER BY company_id, kind
"""  # noqa: S608 (our own text)

TOLD = """
INSERT INTO notification_told AS t (user_id, how, told_until) SELECT $1, how, $3 FROM unnest($2::text[]) AS of (how)
ON CONFLICT (user_id, how) DO UPDATE SET told_until = greatest(t.told_until, excluded.told_until)
"""

# --- live

NOW = "SELECT clock_timestamp()"

# Whom something new may concern since $1, and what is being recorded for up to $2 seconds: companies, users written
# to; and the moment that it was read at, in a row of its own.
CHANGED = f"""
SELECT NULL::uuid AS company_id, NULL::uuid AS user_id, now() AS now
UNION ALL
SELECT DISTINCT company_id, NULL::uuid, now() FROM affiliation_event v
WHERE v.{_NOTABLE} AND v.recorded_at > $1::timestamptz - make_interval(secs => $2)
UNION ALL
SELECT DISTINCT NULL::uuid, user_id, now() FROM notice n
WHERE n.{_LEFT} AND n.handed_over_at > $1 - make_interval(secs => $2) AND n.user_id IS NOT NULL
"""  # noqa: S608 (our own text)

"""The review of rights: who is asked about, what was confirmed."""

from __future__ import annotations

# $1: now, for the night. 88 days: three months are never fewer; which rights are due is decided by `domain.review`.
COMPANIES = """
SELECT DISTINCT company_id AS id FROM membership m
WHERE is_active(m) AND m.company_id > $2
  AND (m.review_noticed_at IS NOT NULL
       OR coalesce(m.confirmed_at, m.accepted_at) < $1::timestamptz - interval '88 days')
ORDER BY company_id LIMIT $3
"""

# The active rights on a company; of accounts that are closed everywhere nobody is asked.
OF_COMPANY = """
SELECT m.user_id, m.role, coalesce(m.confirmed_at, m.accepted_at) AS confirmed_at, m.review_noticed_at AS noticed_at,
       u.last_signed_in_at AS signed_in_at
FROM membership m JOIN portal_user u ON u.id = m.user_id
WHERE m.company_id = $1 AND is_active(m) AND u.suspended_at IS NULL AND u.revoked_at IS NULL
ORDER BY m.user_id
"""

ASK = "UPDATE membership SET review_noticed_at = $3 WHERE company_id = $1 AND user_id = ANY ($2)"

# $3: when
CONFIRM = """
UPDATE membership m SET confirmed_at = coalesce($3, now()), review_noticed_at = NULL
WHERE m.company_id = $1 AND m.user_id = ANY ($2) AND is_active(m) RETURNING m.user_id
"""

# What is asked about on the companies of the context, the caller ($1) left out: nobody confirms themself.
OPEN = """
SELECT c.siren, c.name AS company, m.user_id, m.role, m.review_noticed_at AS noticed_at,
       coalesce(m.confirmed_at, m.accepted_at) AS confirmed_at, m.ends_on, u.first_name, u.last_name, u.email,
       u.last_signed_in_at
FROM membership m JOIN company c ON c.id = m.company_id JOIN portal_user u ON u.id = m.user_id
WHERE m.review_noticed_at IS NOT NULL AND is_active(m) AND m.user_id <> $1
ORDER BY c.name, c.siren, u.last_name, u.first_name, m.user_id
"""

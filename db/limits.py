"""Abuse limits: the generic cell rate algorithm in one statement, shared by all processes.

`tat` is the theoretical arrival time: the moment at which everything taken so far is paid for. A request is taken when
it would not run more than `burst` intervals ahead of the clock; a refused one changes nothing.
"""

from __future__ import annotations

# $1 key, $2 seconds between two, $3 how many may come at once → a row where it is taken
TAKE = """
INSERT INTO rate_limit AS r (key, tat) VALUES ($1, clock_timestamp() + make_interval(secs => $2))
ON CONFLICT (key) DO UPDATE SET tat = greatest(r.tat, clock_timestamp()) + make_interval(secs => $2)
WHERE greatest(r.tat, clock_timestamp()) + make_interval(secs => $2)
      <= clock_timestamp() + make_interval(secs => $2 * $3)
RETURNING 1
"""

# seconds until one more is taken; at most 0: at once
WAIT = """
SELECT extract(epoch FROM tat - clock_timestamp())::float8 - $2::float8 * ($3::float8 - 1)
FROM rate_limit WHERE key = $1
"""

# The same of several: $1 keys, $2 seconds between two, $3 how many at once, the same place in each.
LONGEST_WAIT = """
SELECT max(extract(epoch FROM r.tat - clock_timestamp())::float8 - l.seconds * (l.count - 1))
FROM unnest($1::bytea[], $2::float8[], $3::float8[]) AS l (key, seconds, count) JOIN rate_limit r ON r.key = l.key
"""

FORGET = "DELETE FROM rate_limit WHERE key = $1"

"""DSN files, their declarations, and what these propose for people's rights.

What a change came to (`dsn_change.outcome`), where its state alone does not say it:
  unknown_person   nobody of this number is known here        two_people       its numbers are two people's
  several_people   its name and birth date are several's      no_coverage      the person has no right that it is about
  reason_changed   the same end, for another reason           day_changed      the same contract, ended on another day
  end_differs      another end is there                       replaced         its declaration was replaced
  cancelled_before the DSN took the same contract's end back before
  covered, under_way, waived, known_already                   nothing to do    to_employer      a hire_proposal was made
  by_hand          confirmed, and nothing here carries it out        purged   what it takes is kept no longer
  cancelled        a later declaration took the end back
and the codes of `activities.coverage_changes.EndRefused`.
"""

from __future__ import annotations

# --- imports

# No row where the same content is here and was not refused. $1 id … $8
ADD_IMPORT = """
INSERT INTO dsn_import (id, origin, name, received_by, sha256, size, object_key, data_key_sealed)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (sha256) WHERE state <> 'refused' DO NOTHING RETURNING id
"""

IMPORT_OF_CONTENT = "SELECT id, state FROM dsn_import WHERE sha256 = $1 AND state <> 'refused'"

IMPORT = """
SELECT id, object_key, data_key_sealed, sha256, size, state, faults, encoding, lines, declarations, spans, read_to
FROM dsn_import WHERE id = $1
"""

SURVEYED = """
UPDATE dsn_import SET state = 'reading', encoding = $2, lines = $3, envois = jsonb_array_length($4), declarations = $5,
       spans = $4
WHERE id = $1 AND state = 'received'
"""

REFUSED = """
UPDATE dsn_import SET state = 'refused', faults = $2, finished_at = now() WHERE id = $1 AND state = 'received'
"""

READ_TO = "UPDATE dsn_import SET read_to = $2 WHERE id = $1 AND read_to < $2"

FINISHED = """
UPDATE dsn_import SET state = 'applied', finished_at = now() WHERE id = $1 AND state = 'reading'
RETURNING declarations
"""

# --- declarations

LAST_LINE = "SELECT last_line FROM dsn_declaration WHERE import_id = $1 AND number = $2"

# $1 SIRENs, $2 SIRETs
CLIENTS = "SELECT siren, id, insurer_reference FROM company WHERE siren = ANY ($1)"
PLACES = "SELECT siret, id FROM establishment WHERE siret = ANY ($1)"

# What is here already is left as it is: of this import (begun before a crash) or another declaration's natural key.
ADD_DECLARATIONS = """
INSERT INTO dsn_declaration (id, import_id, number, first_line, company_id, establishment_id, siret, nature, kind,
                             month, fraction, order_number, made_on, replaces, state, fault, ours)
SELECT n.id, $1, n.number, n.first_line, n.company_id, n.establishment_id, n.siret, n.nature, n.kind, n.month,
       n.fraction, n.order_number, n.made_on, n.replaces, n.state, n.fault::jsonb, n.ours
FROM unnest($2::uuid[], $3::int[], $4::int[], $5::uuid[], $6::uuid[], $7::text[], $8::text[], $9::text[], $10::date[],
            $11::text[], $12::text[], $13::date[], $14::text[], $15::text[], $16::text[], $17::boolean[])
    AS n (id, number, first_line, company_id, establishment_id, siret, nature, kind, month, fraction, order_number,
          made_on, replaces, state, fault, ours)
ORDER BY n.number
ON CONFLICT DO NOTHING
"""

OF_IMPORT = "SELECT id, number, state FROM dsn_declaration WHERE import_id = $1 AND number = ANY ($2)"

# $2: the number of a declaration whose natural key is another's
ADD_DUPLICATE = """
INSERT INTO dsn_declaration (id, import_id, number, first_line, last_line, company_id, establishment_id, siret, nature,
                             kind, month, fraction, order_number, made_on, replaces, state, former_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, 'duplicate', (
    SELECT id FROM dsn_declaration
    WHERE siret = $8 AND nature = $9 AND month IS NOT DISTINCT FROM $11 AND fraction = $12 AND order_number = $13
      AND made_on = $14 AND state IN ('reading', 'recorded', 'replaced', 'cancelled')))
ON CONFLICT DO NOTHING
"""

# Those of $1 that one which came before them takes the place of.
REPLACED_BEFORE = """
SELECT d.id, r.id AS by_id, r.kind FROM dsn_declaration d
JOIN dsn_declaration r ON r.siret = d.siret AND r.nature = d.nature
     AND r.replaces = to_char(d.made_on, 'DDMMYYYY') || d.order_number AND r.state IN ('recorded', 'replaced')
     AND r.id <> d.id
WHERE d.id = ANY ($1)
"""

# The one that another replaces: $1 SIRET, $2 nature, $3 its day and number, $4 the other
FORMER = """
SELECT id FROM dsn_declaration
WHERE siret = $1 AND nature = $2 AND to_char(made_on, 'DDMMYYYY') || order_number = $3 AND id <> $4
  AND state IN ('recorded', 'replaced', 'cancelled')
ORDER BY (state = 'recorded') DESC, recorded_at DESC LIMIT 1
"""

REPLACED = "UPDATE dsn_declaration SET state = $2 WHERE id = $1 AND state IN ('reading', 'recorded')"

BEGIN_AGAIN = "UPDATE dsn_declaration SET people = 0, doubtful = 0, doubts = '[]' WHERE id = ANY ($1)"

# A part of it or all: $1 id, $2 people, $3 doubtful, $4 doubts, $5 how many doubts are kept
COUNT_PEOPLE = """
UPDATE dsn_declaration d SET people = d.people + n.people, doubtful = d.doubtful + n.doubtful,
       doubts = CASE WHEN jsonb_array_length(d.doubts) >= $5 THEN d.doubts ELSE d.doubts || n.doubts::jsonb END
FROM unnest($1::uuid[], $2::int[], $3::int[], $4::text[]) AS n (id, people, doubtful, doubts)
WHERE d.id = n.id
"""

COMPLETE = """
UPDATE dsn_declaration d
SET last_line = n.last_line, state = CASE WHEN d.state = 'reading' THEN 'recorded' ELSE d.state END,
    former_id = coalesce(n.former_id, d.former_id), recorded_at = now()
FROM unnest($1::uuid[], $2::int[], $3::uuid[]) AS n (id, last_line, former_id) WHERE d.id = n.id
"""

SET_ASIDE = """
UPDATE dsn_declaration SET state = 'set_aside', fault = $2, last_line = $3, people = 0, doubtful = 0, doubts = '[]'
WHERE id = $1
"""

FORGET_CHANGES = "DELETE FROM dsn_change WHERE declaration_id = $1 AND state IN ('proposed', 'unchanged')"

# Of the declarations after $2 up to $3.
COUNT_RECORDED = """
SELECT count(*) FILTER (WHERE state IN ('reading', 'recorded', 'replaced', 'cancelled')) AS recorded,
       count(*) FILTER (WHERE state = 'duplicate') AS duplicate,
       count(*) FILTER (WHERE state = 'set_aside') AS set_aside,
       count(*) FILTER (WHERE state = 'foreign') AS foreign,
       (SELECT count(*) FROM dsn_change c JOIN dsn_declaration o ON o.id = c.declaration_id
        WHERE o.import_id = $1 AND o.number > $2 AND o.number <= $3 AND c.state = 'proposed') AS changes
FROM dsn_declaration WHERE import_id = $1 AND number > $2 AND number <= $3
"""

# --- who is who, within the declared company only

# $1 places in the list, $2 companies, $3 indexes of numbers
BY_NIR = """
SELECT w.place, e.id, e.nir_index FROM unnest($1::int[], $2::uuid[], $3::bytea[]) AS w (place, company_id, number)
JOIN employee e ON e.company_id = w.company_id AND e.nir_index = w.number
"""

BY_KNOWN_NUMBER = """
SELECT w.place, e.id, e.nir_index FROM unnest($1::int[], $2::uuid[], $3::bytea[]) AS w (place, company_id, number)
JOIN dsn_number k ON k.company_id = w.company_id AND k.number_index = w.number
JOIN employee e ON e.id = k.employee_id OR e.company_id = k.company_id AND e.nir_index = k.nir_index
"""

# $3 birth dates
BY_BIRTH_DATE = """
SELECT w.place, e.id, e.last_name, e.birth_name, e.first_names
FROM unnest($1::int[], $2::uuid[], $3::date[]) AS w (place, company_id, birth_date)
JOIN employee e ON e.company_id = w.company_id AND e.birth_date = w.birth_date
"""

COVERAGES = """
SELECT v.id, v.employee_id, v.establishment_id, v.starts_on, v.ends_on, a.hired_on
FROM coverage v JOIN affiliation a ON a.id = v.affiliation_id WHERE v.employee_id = ANY ($1)
"""

DEPENDANTS = """
SELECT d.id, d.coverage_id, d.birth_date, d.first_names, d.nir_index, d.ends_on
FROM dependant d WHERE d.coverage_id = ANY ($1)
"""

KNOWN_NUMBERS = """
SELECT w.place, k.employee_id FROM unnest($1::int[], $2::uuid[], $3::bytea[]) AS w (place, company_id, number)
JOIN dsn_number k ON k.company_id = w.company_id AND k.number_index = w.number
WHERE k.employee_id IS NOT NULL
"""

# --- changes

# Somebody known by the employer's number until now: what was said of them is of whoever the number belongs to.
REKEY = """
UPDATE dsn_change c SET person_index = $3
WHERE c.company_id = $1 AND c.person_index = $2 AND NOT EXISTS (
    SELECT FROM dsn_change o
    WHERE o.company_id = c.company_id AND o.person_index = $3 AND o.key = c.key AND o.reason = c.reason)
"""

# What stands of the same subjects: $1 companies, $2 person indexes, $3 subjects
STANDING = """
SELECT c.id, c.company_id, c.person_index, c.subject, c.kind, c.key, c.reason
FROM unnest($1::uuid[], $2::bytea[], $3::text[]) AS w (company_id, person_index, subject)
JOIN dsn_change c ON c.company_id = w.company_id AND c.person_index = w.person_index AND c.subject = w.subject
WHERE c.kind = 'end' AND c.state IN ('proposed', 'applied', 'unchanged')
   OR c.kind = 'end_cancelled' AND c.state = 'applied'
ORDER BY c.recorded_at, c.id
"""

# The same event told again changes nothing, but where it had been superseded or reversed, or where its declaration is
# one of those replaced now ($19).
ADD_CHANGES = """
INSERT INTO dsn_change (id, declaration_id, company_id, kind, key, subject, person_index, on_day, reason, decision,
                        state, outcome, match, employee_id, coverage_id, former_id, line, details, person_sealed)
SELECT n.id, n.declaration_id, n.company_id, n.kind, n.key, n.subject, n.person_index, n.on_day, n.reason, n.decision,
       n.state, n.outcome, n.match, n.employee_id, n.coverage_id, n.former_id, n.line, n.details::jsonb, n.person_sealed
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::bytea[], $8::date[], $9::text[],
            $10::text[], $11::text[], $12::text[], $13::text[], $14::uuid[], $15::uuid[], $16::uuid[], $17::int[],
            $18::text[], $20::bytea[])
    AS n (id, declaration_id, company_id, kind, key, subject, person_index, on_day, reason, decision, state, outcome,
          match, employee_id, coverage_id, former_id, line, details, person_sealed)
ON CONFLICT (company_id, person_index, key, reason) DO UPDATE
SET declaration_id = excluded.declaration_id,
    state = CASE WHEN dsn_change.state IN ('superseded', 'reversed') THEN excluded.state ELSE dsn_change.state END,
    decision = CASE WHEN dsn_change.state IN ('superseded', 'reversed') THEN excluded.decision
               ELSE dsn_change.decision END,
    outcome = CASE WHEN dsn_change.state IN ('superseded', 'reversed') THEN excluded.outcome
              ELSE dsn_change.outcome END,
    former_id = CASE WHEN dsn_change.state IN ('superseded', 'reversed') THEN excluded.former_id
                ELSE dsn_change.former_id END,
    decided_by = CASE WHEN dsn_change.state NOT IN ('superseded', 'reversed') THEN dsn_change.decided_by END,
    decided_at = CASE WHEN dsn_change.state NOT IN ('superseded', 'reversed') THEN dsn_change.decided_at END,
    applied_at = CASE WHEN dsn_change.state NOT IN ('superseded', 'reversed') THEN dsn_change.applied_at END
WHERE dsn_change.declaration_id <> excluded.declaration_id
  AND (dsn_change.state IN ('superseded', 'reversed') OR dsn_change.declaration_id = ANY ($19))
RETURNING id
"""

# Of a declaration that was replaced ($1), by $2: what the other does not say again.
SUPERSEDE_UNSAID = """
UPDATE dsn_change SET state = 'superseded', outcome = 'replaced' WHERE declaration_id = $1 AND state = 'proposed'
"""
PROPOSE_REVERSALS = """
INSERT INTO dsn_change (id, declaration_id, company_id, kind, key, subject, person_index, on_day, reason, decision,
                        state, match, employee_id, coverage_id, former_id, line, details)
SELECT uuidv7(), $2, c.company_id, 'reversal', 'reversal/' || c.key, 'reversal/' || c.subject, c.person_index, c.on_day,
       c.reason, 'confirm', 'proposed', c.match, c.employee_id, c.coverage_id, c.id, d.first_line,
       c.details || jsonb_build_object('of', c.kind)
FROM dsn_change c JOIN dsn_declaration d ON d.id = $2
WHERE c.declaration_id = $1 AND c.state = 'applied' AND c.kind <> 'reversal'
ON CONFLICT (company_id, person_index, key, reason) DO UPDATE
SET declaration_id = excluded.declaration_id, state = 'proposed', outcome = '', decided_by = NULL, decided_at = NULL,
    applied_at = NULL
WHERE dsn_change.state <> 'proposed'
RETURNING id
"""

# Affiliations that are to go on beyond a contract that ended (62.016), of these companies ($1).
CONTINUED = """
SELECT id, company_id, person_index, on_day FROM dsn_change
WHERE company_id = ANY ($1) AND kind = 'continued' AND state IN ('proposed', 'applied') AND outcome IN ('', $2)
"""
FOLLOWED = """
UPDATE dsn_change SET outcome = 'followed', state = CASE state WHEN 'proposed' THEN 'unchanged' ELSE state END
WHERE id = ANY ($1)
"""
# By the month after, where an import ($1) has it and the person does not stand in it: somebody looks, once ($2).
NOT_FOLLOWED = """
UPDATE dsn_change c
SET state = 'proposed', decision = 'review', outcome = $2, decided_by = NULL, decided_at = NULL, applied_at = NULL
FROM (SELECT DISTINCT company_id, month FROM dsn_declaration
      WHERE import_id = $1 AND state = 'recorded' AND ours AND nature = '01' AND month IS NOT NULL) AS read
WHERE c.company_id = read.company_id AND c.kind = 'continued' AND c.state IN ('proposed', 'applied') AND c.outcome = ''
  AND c.on_day < read.month AND c.on_day >= read.month - interval '1 month'
"""

# --- carrying them out

# $1 import, $2 after this declaration, $3 how many
TO_APPLY = """
SELECT c.id, d.number FROM dsn_change c JOIN dsn_declaration d ON d.id = c.declaration_id
WHERE d.import_id = $1 AND d.number > $2 AND d.state = 'recorded' AND c.state = 'proposed' AND c.decision = 'automatic'
ORDER BY d.number, c.line, c.kind, c.id LIMIT $3
"""

LEFT = """
SELECT count(*) FROM dsn_change c JOIN dsn_declaration d ON d.id = c.declaration_id
WHERE d.import_id = $1 AND d.state = 'recorded' AND c.state = 'proposed' AND c.decision <> 'automatic'
"""

LAST_NUMBER = "SELECT declarations FROM dsn_import WHERE id = $1"

CHANGE = """
SELECT c.*, d.siret, d.establishment_id, d.import_id FROM dsn_change c JOIN dsn_declaration d ON d.id = c.declaration_id
WHERE c.id = $1 FOR UPDATE OF c
"""

SETTLE = """
UPDATE dsn_change SET state = $2, outcome = $3, employee_id = coalesce($4, employee_id),
       coverage_id = coalesce($5, coverage_id), decided_by = $6,
       decided_at = CASE WHEN $6::text IS NOT NULL THEN now() END, decision_reason = $8,
       applied_at = CASE WHEN $2 = 'applied' THEN now() END, details = details || $7
WHERE id = $1
"""

LEAVE_TO_SOMEBODY = "UPDATE dsn_change SET decision = 'review', outcome = $2 WHERE id = $1"

# A former change that another took the place of, or undid.
PUT_BACK = """
UPDATE dsn_change SET state = $2, outcome = $3
WHERE id = $1 AND state IN ('proposed', 'applied', 'reversed', 'superseded')
"""

END_OF = """
SELECT id, contract_ends_on, reason, origin FROM coverage_end WHERE coverage_id = $1 AND cancelled_at IS NULL
"""

# The end that is taken back: of this person and contract.
APPLIED_ENDS = """
SELECT id, details FROM dsn_change
WHERE company_id = $1 AND person_index = $2 AND subject = $3 AND kind = 'end' AND state = 'applied'
ORDER BY applied_at DESC
"""

# What stands in the place of a hire: $1 employee, $2 its day
STANDS_FOR_HIRE = """
SELECT EXISTS (SELECT FROM coverage v JOIN affiliation a ON a.id = v.affiliation_id
               WHERE v.employee_id = $1
                 AND (a.hired_on = $2 OR v.starts_on <= $2 AND (v.ends_on IS NULL OR v.ends_on >= $2))) AS covered,
       EXISTS (SELECT FROM affiliation a
               WHERE a.employee_id = $1 AND a.status IN ('preparing', 'sent', 'started')) AS under_way,
       EXISTS (SELECT FROM waiver w
               WHERE w.employee_id = $1 AND w.ended_on IS NULL AND w.ends_on >= $2) AS waived
"""

ADD_HIRE_PROPOSAL = """
INSERT INTO hire_proposal (id, company_id, establishment_id, change_id, began_on, person_sealed)
VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (change_id) DO NOTHING
"""

REOPEN_HIRE_PROPOSAL = "UPDATE hire_proposal SET state = 'open' WHERE change_id = $1 AND state = 'withdrawn'"

WITHDRAW_HIRE_PROPOSAL = """
UPDATE hire_proposal SET state = 'withdrawn', decided_by = $2, decided_at = now()
WHERE change_id = $1 AND state = 'open' RETURNING id
"""

KNOW_NUMBER = """
INSERT INTO dsn_number (company_id, number_index, employee_id) VALUES ($1, $2, $3)
ON CONFLICT (company_id, number_index) DO UPDATE SET employee_id = excluded.employee_id, nir_index = NULL
"""

# Of somebody who is not known here yet.
KNOW_PAIR = """
INSERT INTO dsn_number (company_id, number_index, nir_index) VALUES ($1, $2, $3)
ON CONFLICT (company_id, number_index) DO UPDATE SET nir_index = excluded.nir_index
WHERE dsn_number.employee_id IS NULL
"""

STRANGER = "UPDATE dsn_change SET employee_id = NULL, coverage_id = NULL, match = 'none' WHERE id = $1"

OPEN_HIRES_OF = """
SELECT p.id, p.person_sealed FROM hire_proposal p JOIN dsn_change c ON c.id = p.change_id
WHERE c.company_id = $1 AND c.person_index = $2 AND p.state = 'open'
"""

SEAL_HIRE = "UPDATE hire_proposal SET person_sealed = $2 WHERE id = $1"

EMPLOYEE = """
SELECT id, company_id, civility, last_name, birth_name, first_names, birth_date, nir_index FROM employee WHERE id = $1
FOR UPDATE
"""

NIR_TAKEN = "SELECT EXISTS (SELECT FROM employee WHERE company_id = $1 AND nir_index = $2 AND id <> $3)"

CORRECT_EMPLOYEE = """
UPDATE employee SET last_name = $2, birth_name = $3, first_names = $4, birth_date = $5, search_name = $6 WHERE id = $1
"""

CORRECT_NIR = "UPDATE employee SET nir_sealed = $2, nir_index = $3 WHERE id = $1"

ADD_DEPENDANT = """
INSERT INTO dependant (id, company_id, affiliation_id, coverage_id, kind, last_name, first_names, birth_date,
                       nir_sealed, nir_index)
SELECT $2, company_id, affiliation_id, id, $3, $4, $5, $6, $7, $8 FROM coverage WHERE id = $1
"""

END_DEPENDANT = "UPDATE dependant SET ends_on = $2 WHERE id = $1"

MOVE_COVERAGE = "UPDATE coverage SET establishment_id = $2 WHERE id = $1"

# --- retention: what is due, in batches; $1 the first moment not yet due, $2 how many at most

# Of people whom nobody knows here, all of it; of the others what the change says stays as long as they do, unnamed.
CHANGES_DUE = """
WITH due AS (
    SELECT id FROM dsn_change WHERE employee_id IS NULL AND recorded_at < $1 ORDER BY recorded_at LIMIT $2
)
DELETE FROM dsn_change USING due WHERE dsn_change.id = due.id
"""

PEOPLE_DUE = """
WITH due AS (
    SELECT id FROM dsn_change WHERE person_sealed IS NOT NULL AND recorded_at < $1 ORDER BY recorded_at LIMIT $2
)
UPDATE dsn_change SET person_sealed = NULL FROM due WHERE dsn_change.id = due.id
"""

NUMBERS_DUE = """
WITH due AS (
    SELECT company_id, number_index FROM dsn_number WHERE employee_id IS NULL AND known_at < $1
    ORDER BY known_at LIMIT $2
)
DELETE FROM dsn_number n USING due WHERE n.company_id = due.company_id AND n.number_index = due.number_index
"""

HIRE_PROPOSALS_DUE = """
WITH due AS (SELECT id FROM hire_proposal WHERE created_at < $1 ORDER BY created_at LIMIT $2)
DELETE FROM hire_proposal USING due WHERE hire_proposal.id = due.id
"""

-- Bulk pre-affiliation: a table of new employees, its rows with what is known of each, and what became of them.
--
-- An import is its user's, like an export: only the system role, which knows who is calling, looks here. What was typed
-- is sealed; it is deleted thirty days after it came.

CREATE TABLE affiliation_import (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    user_id uuid NOT NULL REFERENCES portal_user ON DELETE CASCADE,
    company_ids uuid[] NOT NULL,        -- the perimeter that it was given in
    state text NOT NULL DEFAULT 'read' CHECK (state IN
        ('read', 'checking', 'checked', 'confirmed', 'running', 'done', 'cancelled', 'refused')),
    filename_sealed bytea NOT NULL,     -- files are called by people's names
    content_sealed bytea,               -- its cells, while its columns may still be told otherwise; then null
    columns_sealed bytea NOT NULL,      -- headers, samples, and which field each column is
    sha256 bytea NOT NULL,              -- of the content: that it is the same
    rows_total integer NOT NULL,
    check_round integer NOT NULL DEFAULT 0,  -- how often it was read; only the last one goes on
    start_round integer NOT NULL DEFAULT 0,  -- how often something was confirmed
    created_at timestamptz NOT NULL DEFAULT now(),
    asked_at timestamptz NOT NULL DEFAULT now(),  -- of the last reading or confirmation, for the sweep
    confirmed_at timestamptz,           -- the last one
    finished_at timestamptz
);
CREATE INDEX affiliation_import_of_user ON affiliation_import (user_id, created_at DESC, id DESC);
CREATE INDEX affiliation_import_unfinished ON affiliation_import (asked_at)
    WHERE state IN ('checking', 'confirmed', 'running');
CREATE INDEX affiliation_import_by_age ON affiliation_import (created_at);

CREATE TABLE affiliation_import_row (
    id uuid PRIMARY KEY,                -- what its sealed columns are bound to
    import_id uuid NOT NULL REFERENCES affiliation_import ON DELETE CASCADE,
    number integer NOT NULL,            -- its line in what was given
    company_id uuid REFERENCES company, -- null: its establishment is not known
    person_index bytea,                 -- finds the person, and the same one in another row; null: no valid number
    values_sealed bytea NOT NULL,
    repairs_sealed bytea,               -- what was read otherwise than it stands there
    state text NOT NULL CHECK (state IN
        ('new', 'changed', 'running', 'insured', 'conflict', 'invalid', 'skipped', 'started', 'failed')),
    problems jsonb NOT NULL DEFAULT '[]',  -- names of fields and codes
    affiliation_id uuid REFERENCES affiliation ON DELETE CASCADE,  -- which one was started, or runs already
    included boolean NOT NULL DEFAULT true,
    confirmed boolean NOT NULL DEFAULT false,  -- to be started, or done with
    settled_at timestamptz,             -- when a confirmed one was done with
    UNIQUE (import_id, number)
);
CREATE INDEX affiliation_import_row_by_state ON affiliation_import_row (import_id, state, number);
CREATE INDEX affiliation_import_row_to_start ON affiliation_import_row (import_id, number)
    WHERE confirmed AND settled_at IS NULL;
CREATE INDEX ON affiliation_import_row (affiliation_id) WHERE affiliation_id IS NOT NULL;
CREATE INDEX affiliation_import_row_of_person ON affiliation_import_row (person_index, import_id)
    WHERE person_index IS NOT NULL;

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['affiliation_import', 'affiliation_import_row'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY system ON %I TO hcr_system USING (true) WITH CHECK (true)', t);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO hcr_system', t);
    END LOOP;
END $$;

-- What becomes of a coverage: its end with the contract, portability, suspensions, and the history of all of them.

-- The facts are written by whoever changes them; `version` counts their changes and `told` the last one that the
-- workflow has heard of. `state`, `next_step_kind` and `next_step_at` are the workflow's, numbered by `state_version`.
-- `rights_until`: the last day of the last right, portability included, once an end of contract is known.
ALTER TABLE coverage
    ADD COLUMN version integer NOT NULL DEFAULT 0,
    ADD COLUMN told integer NOT NULL DEFAULT 0,
    ADD COLUMN changed_at timestamptz,
    ADD COLUMN rights_until date,
    ADD COLUMN state jsonb,
    ADD COLUMN state_version integer NOT NULL DEFAULT 0,
    ADD COLUMN next_step_kind text,
    ADD COLUMN next_step_at timestamptz,
    -- what staff have to decide, and since when
    ADD COLUMN attention text CHECK (attention IN ('portability_review', 'suspension_review', 'death', 'unreachable',
                                                   'uncertain')),
    ADD COLUMN attention_since timestamptz,
    ADD CHECK (told <= version),
    ADD CHECK ((attention IS NULL) = (attention_since IS NULL));

CREATE INDEX coverage_untold ON coverage (changed_at) WHERE told < version;
CREATE INDEX coverage_due ON coverage (next_step_at) WHERE next_step_at IS NOT NULL;
CREATE INDEX coverage_desk ON coverage (attention, attention_since, id) WHERE attention IS NOT NULL;
-- the purge counts from the last right
DROP INDEX coverage_ended;
CREATE INDEX coverage_rights_ended ON coverage ((coalesce(rights_until, ends_on))) WHERE ends_on IS NOT NULL;

-- An end of contract; a row that another one replaces is cancelled and stays.
CREATE TABLE coverage_end (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    company_id uuid NOT NULL REFERENCES company,
    coverage_id uuid NOT NULL REFERENCES coverage,
    affiliation_id uuid NOT NULL REFERENCES affiliation,
    contract_began_on date NOT NULL,        -- of the first of contracts that follow each other
    contract_ends_on date NOT NULL,
    reason text NOT NULL,                   -- a code of S21.G00.62.002
    covered_until date NOT NULL,            -- the month's end
    portability text NOT NULL CHECK (portability IN ('open', 'closed', 'review')),
    portability_from date NOT NULL,         -- as computed, whether it is open or not
    portability_until date NOT NULL,        -- the computed last day
    portability_ended_on date,              -- the last day where it ended before
    portability_end_reason text
        CHECK (portability_end_reason IN ('new_job', 'no_proof', 'retirement', 'death', 'insurer', 'other')),
    proof_until date,                       -- the last day that a proof covers
    origin text NOT NULL CHECK (origin IN ('employer', 'staff', 'dsn')),
    declared_by text,                       -- a user or a key; null: the system
    declared_at timestamptz NOT NULL DEFAULT now(),
    cancelled_at timestamptz,
    cancelled_by text,
    CHECK (contract_began_on <= contract_ends_on AND contract_ends_on <= covered_until),
    CHECK (covered_until < portability_from AND portability_from <= portability_until),
    CHECK ((portability_ended_on IS NULL) = (portability_end_reason IS NULL)),
    CHECK (portability_ended_on BETWEEN covered_until AND portability_until),
    CHECK (proof_until BETWEEN portability_from AND portability_until)
);
CREATE UNIQUE INDEX coverage_one_end ON coverage_end (coverage_id) WHERE cancelled_at IS NULL;
CREATE INDEX ON coverage_end (coverage_id);
CREATE INDEX ON coverage_end (affiliation_id);

-- No pay, no contribution: staff decide whether the cover is kept, as it is where the person pays.
CREATE TABLE coverage_suspension (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    company_id uuid NOT NULL REFERENCES company,
    coverage_id uuid NOT NULL REFERENCES coverage,
    affiliation_id uuid NOT NULL REFERENCES affiliation,
    reason text NOT NULL,                   -- a code of S21.G00.65.001
    first_day date NOT NULL,
    last_day date,                          -- null: not known yet
    kept boolean,                           -- null: nobody has decided yet
    origin text NOT NULL CHECK (origin IN ('employer', 'staff', 'dsn')),
    declared_by text,
    declared_at timestamptz NOT NULL DEFAULT now(),
    cancelled_at timestamptz,
    cancelled_by text,
    CHECK (first_day <= last_day)
);
CREATE UNIQUE INDEX coverage_one_suspension ON coverage_suspension (coverage_id, first_day) WHERE cancelled_at IS NULL;
CREATE INDEX ON coverage_suspension (affiliation_id);

-- The history of rights: a line for each change, numbered by the version that it made.
CREATE TABLE coverage_event (
    coverage_id uuid NOT NULL REFERENCES coverage,
    number integer NOT NULL,
    company_id uuid NOT NULL REFERENCES company,
    affiliation_id uuid NOT NULL REFERENCES affiliation,
    kind text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    actor_kind text NOT NULL,
    actor_id text,
    details jsonb NOT NULL DEFAULT '{}',    -- dates and codes
    PRIMARY KEY (coverage_id, number)
);
CREATE INDEX ON coverage_event (affiliation_id);

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['coverage_end', 'coverage_suspension', 'coverage_event'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY system ON %I TO hcr_system USING (true) WITH CHECK (true)', t);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO hcr_system', t);
        EXECUTE format('CREATE POLICY tenant ON %I TO hcr_web
            USING (company_id = ANY ((SELECT app_companies())::uuid[]))
            WITH CHECK (company_id = ANY ((SELECT app_companies())::uuid[]))', t);
    END LOOP;
END $$;

-- An employer without DSN declares an end and takes it back; what follows from it is staff's and the workflow's.
GRANT SELECT, INSERT ON coverage_end, coverage_suspension, coverage_event TO hcr_web;
GRANT UPDATE (cancelled_at, cancelled_by) ON coverage_end TO hcr_web;
GRANT UPDATE (ends_on, rights_until, version, changed_at, attention, attention_since) ON coverage TO hcr_web;

-- DSN files: what was received, what each declaration is, and what it proposes for people's rights.
--
-- The files themselves lie encrypted in the object store until they are purged; what is kept here of an import names
-- nobody but in `dsn_change` and `hire_proposal`, sealed.
-- Nothing here is an employer's to read but who was hired at their own company without having been pre-affiliated.

CREATE TABLE dsn_import (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    origin text NOT NULL CHECK (origin IN ('upload', 'api', 'directory')),
    name text NOT NULL DEFAULT '',  -- as the file was called
    received_by text,               -- a user or an API key; null: the watched directory
    received_at timestamptz NOT NULL DEFAULT now(),
    sha256 bytea NOT NULL,          -- of the clear content
    size bigint NOT NULL,
    object_key text UNIQUE,         -- null once the file is purged
    data_key_sealed bytea,
    state text NOT NULL DEFAULT 'received' CHECK (state IN ('received', 'reading', 'applied', 'refused')),
    faults jsonb NOT NULL DEFAULT '[]',  -- why it was refused whole: [{code, line, expected, found}]
    encoding text,
    lines integer,
    envois integer,
    declarations integer,
    spans jsonb,                    -- [[first line, last line, declarations, platform's id], …], one of each envoi
    read_to integer NOT NULL DEFAULT 0,  -- the number of the last declaration that is done
    finished_at timestamptz
);
-- what was refused may come again: the software that reads it may have learnt
CREATE UNIQUE INDEX dsn_import_once ON dsn_import (sha256) WHERE state <> 'refused';
CREATE INDEX dsn_import_by_date ON dsn_import (received_at DESC, id DESC);
CREATE INDEX dsn_import_unfinished ON dsn_import (received_at) WHERE state IN ('received', 'reading');

CREATE TABLE dsn_declaration (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    import_id uuid NOT NULL REFERENCES dsn_import,
    number integer NOT NULL,        -- in the file, from 1
    first_line integer NOT NULL,
    last_line integer,
    company_id uuid REFERENCES company,
    establishment_id uuid REFERENCES establishment,
    siret text,
    nature text,                    -- S20.G00.05.001
    kind text,                      -- S20.G00.05.002
    month date,
    fraction text,
    order_number text,
    made_on date,
    replaces text,                  -- S20.G00.05.006
    former_id uuid REFERENCES dsn_declaration,  -- which one that is here, or which one this is a duplicate of
    state text NOT NULL CHECK (state IN
        ('reading', 'recorded', 'duplicate', 'set_aside', 'foreign', 'replaced', 'cancelled')),
    fault jsonb,                    -- why it was set aside
    ours boolean,                   -- whether a contract that is ours stands in it (S21.G00.15)
    people integer NOT NULL DEFAULT 0,
    doubtful integer NOT NULL DEFAULT 0,        -- people of whom something cannot be understood
    doubts jsonb NOT NULL DEFAULT '[]',         -- of the first of them: [{code, line, expected, found}]
    recorded_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (import_id, number)
);
-- the natural key: the same declaration once, however often and however it arrives
CREATE UNIQUE INDEX dsn_declaration_once
    ON dsn_declaration (siret, nature, month, fraction, order_number, made_on) NULLS NOT DISTINCT
    WHERE state IN ('reading', 'recorded', 'replaced', 'cancelled');
CREATE INDEX dsn_declaration_by_company ON dsn_declaration (company_id, made_on DESC) WHERE company_id IS NOT NULL;
CREATE INDEX ON dsn_declaration (siret, replaces) WHERE replaces IS NOT NULL;
CREATE INDEX ON dsn_declaration (former_id) WHERE former_id IS NOT NULL;

CREATE TABLE dsn_change (
    id uuid PRIMARY KEY,
    declaration_id uuid NOT NULL REFERENCES dsn_declaration,  -- the one that said it first, or took its place
    company_id uuid NOT NULL REFERENCES company,
    kind text NOT NULL,             -- domain.dsn.changes.ChangeKind, or `reversal` of another change
    key text NOT NULL,              -- of the event, the same however often it is declared
    subject text NOT NULL,          -- what it is about, whatever its day: the end of that contract
    person_index bytea NOT NULL,    -- who it is about
    on_day date NOT NULL,
    reason text NOT NULL DEFAULT '',
    decision text NOT NULL CHECK (decision IN ('automatic', 'confirm', 'review')),
    state text NOT NULL CHECK (state IN ('proposed', 'applied', 'refused', 'reversed', 'superseded', 'unchanged')),
    outcome text NOT NULL DEFAULT '',  -- a code: why nothing changed, why somebody must look
    match text NOT NULL CHECK (match IN ('nir', 'ntt', 'identity', 'proposal', 'none')),
    employee_id uuid REFERENCES employee ON DELETE CASCADE,
    coverage_id uuid REFERENCES coverage ON DELETE CASCADE,
    former_id uuid REFERENCES dsn_change ON DELETE SET NULL,  -- what it would take the place of, or reverse
    line integer NOT NULL,
    details jsonb NOT NULL DEFAULT '{}',  -- dates and codes
    person_sealed bytea,            -- names, numbers and birth date as declared
    decided_by text,
    decided_at timestamptz,
    decision_reason text NOT NULL DEFAULT '',
    applied_at timestamptz,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (company_id, person_index, key, reason)
);
CREATE INDEX ON dsn_change (declaration_id);
CREATE INDEX ON dsn_change (employee_id) WHERE employee_id IS NOT NULL;
CREATE INDEX ON dsn_change (coverage_id) WHERE coverage_id IS NOT NULL;
CREATE INDEX ON dsn_change (former_id) WHERE former_id IS NOT NULL;
CREATE INDEX dsn_change_named ON dsn_change (recorded_at) WHERE person_sealed IS NOT NULL;
CREATE INDEX dsn_change_of_nobody ON dsn_change (recorded_at) WHERE employee_id IS NULL;
CREATE INDEX dsn_change_of_person ON dsn_change (company_id, person_index, subject);
CREATE INDEX dsn_change_to_decide ON dsn_change (on_day, id) WHERE state = 'proposed' AND decision <> 'automatic';
CREATE INDEX dsn_change_to_apply ON dsn_change (declaration_id, id) WHERE state = 'proposed' AND decision = 'automatic';

-- A number that is not in the file of whoever it belongs to: the employer's (S21.G00.30.020), or another that staff said
-- is theirs. Of a person here, or of a social-security number whose person is not known yet.
CREATE TABLE dsn_number (
    company_id uuid NOT NULL REFERENCES company,
    number_index bytea NOT NULL,
    employee_id uuid REFERENCES employee ON DELETE CASCADE,
    nir_index bytea,
    known_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (company_id, number_index),
    CHECK (num_nonnulls(employee_id, nir_index) = 1)
);
CREATE INDEX dsn_number_of_nobody ON dsn_number (known_at) WHERE employee_id IS NULL;
CREATE INDEX ON dsn_number (employee_id);

-- Somebody whom payroll declares on our contract and whom nobody pre-affiliated.
CREATE TABLE hire_proposal (
    id uuid PRIMARY KEY,
    company_id uuid NOT NULL REFERENCES company,
    establishment_id uuid NOT NULL REFERENCES establishment,
    change_id uuid NOT NULL UNIQUE REFERENCES dsn_change ON DELETE CASCADE,
    began_on date NOT NULL,
    person_sealed bytea NOT NULL,   -- what a pre-affiliation begins with
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'declared', 'dismissed', 'withdrawn')),
    affiliation_id uuid REFERENCES affiliation ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    decided_by text,
    decided_at timestamptz,
    reason text NOT NULL DEFAULT ''  -- why it was dismissed
);
CREATE INDEX hire_proposal_open ON hire_proposal (company_id, began_on) WHERE state = 'open';
CREATE INDEX ON hire_proposal (created_at);
CREATE INDEX ON hire_proposal (affiliation_id) WHERE affiliation_id IS NOT NULL;

-- A dependant who left, as the DSN said and staff confirmed; who is only missing from a file has not.
ALTER TABLE dependant ADD COLUMN ends_on date;

-- rights -----------------------------------------------------------------------------------------------------------------

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['dsn_import', 'dsn_declaration', 'dsn_change', 'dsn_number',
        'hire_proposal'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY system ON %I TO hcr_system USING (true) WITH CHECK (true)', t);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO hcr_system', t);
    END LOOP;
END $$;

CREATE POLICY tenant ON hire_proposal TO hcr_web
    USING (company_id = ANY ((SELECT app_companies())::uuid[]));
GRANT SELECT ON hire_proposal TO hcr_web;

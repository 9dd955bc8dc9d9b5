-- The register, the affiliations and everything that happens to them.
--
-- Rights: hcr_web serves employers' and employees' requests and sees only what the request's context names;
-- hcr_system serves the worker, the webhooks and the look-ups that find out who is calling. Neither owns a table,
-- neither bypasses row-level security. A login role is a member of both and chooses one per connection pool.

DO $$
DECLARE wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['hcr_web', 'hcr_system'] LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOBYPASSRLS', wanted);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL; -- roles belong to the whole cluster: another database of it may have made them
        END;
    END LOOP;
END $$;

CREATE EXTENSION IF NOT EXISTS pg_trgm;

-- the context of a request, set for one transaction only
CREATE FUNCTION app_companies() RETURNS uuid[] LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT string_to_array(nullif(current_setting('app.companies', true), ''), ',')::uuid[] $$;

CREATE FUNCTION app_affiliation() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT nullif(current_setting('app.affiliation', true), '')::uuid $$;

-- register -----------------------------------------------------------------------------------------------------------

CREATE TABLE company (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    siren text NOT NULL UNIQUE CHECK (siren ~ '^[0-9]{9}$'),
    name text NOT NULL,
    insurer text NOT NULL CHECK (insurer IN ('klesia', 'malakoff_humanis')),
    insurer_reference text NOT NULL,
    emits_dsn boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE establishment (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    company_id uuid NOT NULL REFERENCES company,
    siret text NOT NULL UNIQUE CHECK (siret ~ '^[0-9]{14}$'),
    name text NOT NULL,
    postcode text NOT NULL,
    city text NOT NULL,
    closed_on date,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON establishment (company_id);

CREATE TABLE employee (
    id uuid PRIMARY KEY,
    company_id uuid NOT NULL REFERENCES company, -- a person known to two companies is two rows: nothing is disclosed
    civility text NOT NULL CHECK (civility IN ('M', 'MME')),
    last_name text NOT NULL,
    birth_name text NOT NULL,
    first_names text NOT NULL,
    birth_date date NOT NULL,
    nir_sealed bytea NOT NULL,
    nir_index bytea NOT NULL,
    search_name text NOT NULL, -- names in lower case without accents
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (company_id, nir_index)
);
CREATE INDEX ON employee USING gin (search_name gin_trgm_ops);

-- affiliation ----------------------------------------------------------------------------------------------------------

CREATE TABLE affiliation (
    id uuid PRIMARY KEY,
    company_id uuid NOT NULL REFERENCES company,
    establishment_id uuid NOT NULL REFERENCES establishment,
    employee_id uuid NOT NULL REFERENCES employee,
    former_id uuid REFERENCES affiliation,
    language text NOT NULL,
    hired_on date NOT NULL,
    professional_status text NOT NULL CHECK (professional_status IN ('NC', 'C')),
    scheme text NOT NULL CHECK (scheme IN ('RG', 'RL')),
    contract_kind text NOT NULL,
    declared_by text NOT NULL,
    declared_at timestamptz NOT NULL DEFAULT now(),
    policy jsonb NOT NULL,
    -- the read model, written by the workflow's activities only
    status text NOT NULL DEFAULT 'preparing'
        CHECK (status IN ('preparing', 'sent', 'started', 'finalised', 'abandoned')),
    status_at timestamptz NOT NULL DEFAULT now(),
    medium text NOT NULL CHECK (medium IN ('email', 'post')),
    asked_medium text CHECK (asked_medium IN ('email', 'post')),
    state jsonb,
    version integer NOT NULL DEFAULT 0,
    contact_version integer NOT NULL DEFAULT 1,
    next_step_kind text,
    next_step_medium text,
    next_step_at timestamptz,
    attention text,
    pause text,
    closure text,
    -- the sweep's own: when it last looked, and since when no workflow stands behind this row
    checked_at timestamptz,
    stuck_since timestamptz
);
-- product.md, rule 7: at most one open affiliation of a person at an establishment
CREATE UNIQUE INDEX affiliation_one_open ON affiliation (establishment_id, employee_id)
    WHERE status IN ('preparing', 'sent', 'started');
CREATE INDEX affiliation_by_date ON affiliation (company_id, status_at DESC, id DESC);
CREATE INDEX affiliation_not_started ON affiliation (declared_at) WHERE version = 0;
CREATE INDEX affiliation_due ON affiliation (next_step_at) WHERE status IN ('preparing', 'sent', 'started');
CREATE INDEX affiliation_to_check ON affiliation (checked_at NULLS FIRST) WHERE status IN ('preparing', 'sent', 'started');
CREATE INDEX affiliation_waiting ON affiliation (status_at)
    WHERE attention IS NOT NULL AND status IN ('preparing', 'sent', 'started');
CREATE INDEX affiliation_stuck ON affiliation (stuck_since) WHERE stuck_since IS NOT NULL;
CREATE INDEX ON affiliation (employee_id);
CREATE INDEX ON affiliation (former_id) WHERE former_id IS NOT NULL;

CREATE TABLE contact (
    affiliation_id uuid NOT NULL REFERENCES affiliation,
    version integer NOT NULL,
    company_id uuid NOT NULL REFERENCES company,
    email text,
    phone text,
    line1 text NOT NULL,
    line2 text,
    postcode text NOT NULL,
    city text NOT NULL,
    country text NOT NULL DEFAULT 'FR',
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (affiliation_id, version)
);

CREATE TABLE affiliation_event (
    affiliation_id uuid NOT NULL REFERENCES affiliation,
    number integer NOT NULL, -- the state's version it came with; 0: the declaration
    company_id uuid NOT NULL REFERENCES company,
    kind text NOT NULL,
    at timestamptz NOT NULL, -- the workflow's time
    actor_kind text NOT NULL,
    actor_id text,
    details jsonb NOT NULL DEFAULT '{}',
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (affiliation_id, number)
);

CREATE TABLE dispatch (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    company_id uuid NOT NULL REFERENCES company,
    affiliation_id uuid NOT NULL REFERENCES affiliation,
    kind text NOT NULL,
    number integer NOT NULL,
    medium text NOT NULL CHECK (medium IN ('email', 'post', 'sms')),
    contact_version integer NOT NULL,
    state text NOT NULL DEFAULT 'prepared'
        CHECK (state IN ('prepared', 'handed_over', 'delivered', 'rejected', 'unknown', 'superseded')),
    reason text,
    provider_ref text,
    attempts integer NOT NULL DEFAULT 0,
    calling_since timestamptz, -- a provider was being called and nobody has told yet what came of it
    prepared_at timestamptz NOT NULL DEFAULT now(),
    handed_over_at timestamptz, -- the workflow's time
    told_at timestamptz,        -- the provider's last word, its own time
    UNIQUE (affiliation_id, kind, number)
);
CREATE INDEX ON dispatch (prepared_at) WHERE state IN ('prepared', 'unknown');

-- what a link or a letter's code opens
CREATE TABLE access_token (
    dispatch_id uuid PRIMARY KEY REFERENCES dispatch,
    company_id uuid NOT NULL REFERENCES company,
    affiliation_id uuid NOT NULL REFERENCES affiliation,
    medium text NOT NULL,
    token_hash bytea UNIQUE,
    selector text UNIQUE,
    secret_hash text,
    failures integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz
);
CREATE INDEX ON access_token (affiliation_id);

CREATE TABLE employee_session (
    token_hash bytea PRIMARY KEY,
    company_id uuid NOT NULL REFERENCES company,
    affiliation_id uuid NOT NULL REFERENCES affiliation,
    dispatch_id uuid NOT NULL REFERENCES dispatch,
    medium text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX ON employee_session (affiliation_id);

-- enrolment and what it ends in -----------------------------------------------------------------------------------------

CREATE TABLE enrolment (
    affiliation_id uuid PRIMARY KEY REFERENCES affiliation,
    company_id uuid NOT NULL REFERENCES company,
    version integer NOT NULL DEFAULT 0,
    content_sealed bytea,
    saved_at timestamptz,
    saved_by text,            -- the medium of the link or code that the draft came by
    told_at timestamptz,      -- when the workflow was last told of a draft
    submitted_at timestamptz,
    channel text CHECK (channel IN ('online', 'paper')),
    missing text[] NOT NULL DEFAULT '{}',
    recorded_by text
);
CREATE INDEX enrolment_submitted ON enrolment (submitted_at) WHERE submitted_at IS NOT NULL;
CREATE INDEX enrolment_untold ON enrolment (saved_at) WHERE told_at IS NULL AND submitted_at IS NULL;

CREATE TABLE coverage (
    id uuid PRIMARY KEY,
    company_id uuid NOT NULL REFERENCES company,
    establishment_id uuid NOT NULL REFERENCES establishment,
    employee_id uuid NOT NULL REFERENCES employee,
    affiliation_id uuid NOT NULL UNIQUE REFERENCES affiliation,
    formula text NOT NULL,
    starts_on date NOT NULL,
    ends_on date,
    iban_sealed bytea,
    account_holder text,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON coverage (company_id);

CREATE TABLE dependant (
    id uuid PRIMARY KEY,
    company_id uuid NOT NULL REFERENCES company,
    affiliation_id uuid NOT NULL REFERENCES affiliation,
    coverage_id uuid NOT NULL REFERENCES coverage,
    kind text NOT NULL CHECK (kind IN ('partner', 'child')),
    last_name text NOT NULL,
    first_names text NOT NULL,
    birth_date date NOT NULL,
    nir_sealed bytea,
    nir_index bytea
);
CREATE INDEX ON dependant (coverage_id);

-- doors ------------------------------------------------------------------------------------------------------------------

CREATE TABLE api_key (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    name text NOT NULL,
    secret_hash bytea NOT NULL UNIQUE,
    scopes text[] NOT NULL,
    company_ids uuid[] NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE idempotency (
    caller text NOT NULL,
    key text NOT NULL,
    company_id uuid,
    affiliation_id uuid,
    request_hash bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (caller, key)
);

CREATE TABLE delivery_event (
    provider text NOT NULL,
    provider_event_id text NOT NULL,
    dispatch_id uuid,
    kind text NOT NULL,
    reason text,
    occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    tell boolean NOT NULL DEFAULT false, -- the workflow must hear of it
    told_at timestamptz,
    PRIMARY KEY (provider, provider_event_id)
);
CREATE INDEX delivery_event_to_tell ON delivery_event (received_at) WHERE tell AND told_at IS NULL;
CREATE INDEX ON delivery_event (dispatch_id);

CREATE TABLE audit_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    company_id uuid,
    affiliation_id uuid,
    actor_kind text NOT NULL,
    actor_id text,
    event text NOT NULL,
    details jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX ON audit_log (affiliation_id);

-- the embedded default's mailbox, phone and letter box
CREATE TABLE local_message (
    dispatch_id uuid PRIMARY KEY,
    medium text NOT NULL,
    kind text NOT NULL,
    recipient text NOT NULL,
    subject text,
    html text,
    text text,
    pdf bytea,
    received_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON local_message (received_at DESC);

-- rights -----------------------------------------------------------------------------------------------------------------

GRANT USAGE ON SCHEMA public TO hcr_web, hcr_system;

DO $$
DECLARE t text;
BEGIN
    -- every table: rules hold for its owner too, and the system role works on all rows
    FOREACH t IN ARRAY ARRAY['company', 'establishment', 'employee', 'affiliation', 'contact', 'affiliation_event',
        'dispatch', 'access_token', 'employee_session', 'enrolment', 'coverage', 'dependant', 'api_key', 'idempotency',
        'delivery_event', 'audit_log', 'local_message'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY system ON %I TO hcr_system USING (true) WITH CHECK (true)', t);
        IF t = 'audit_log' THEN
            EXECUTE 'GRANT SELECT, INSERT ON audit_log TO hcr_system';
        ELSE
            EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO hcr_system', t);
        END IF;
    END LOOP;
    -- what belongs to a company
    FOREACH t IN ARRAY ARRAY['establishment', 'employee'] LOOP
        EXECUTE format('CREATE POLICY tenant ON %I TO hcr_web USING (company_id = ANY (app_companies()))
            WITH CHECK (company_id = ANY (app_companies()))', t);
    END LOOP;
    -- what belongs to an affiliation: its company's, and its employee's
    FOREACH t IN ARRAY ARRAY['contact', 'affiliation_event', 'dispatch', 'enrolment', 'coverage', 'dependant',
        'idempotency', 'audit_log'] LOOP
        EXECUTE format('CREATE POLICY tenant ON %I TO hcr_web
            USING (company_id = ANY (app_companies()) OR affiliation_id = app_affiliation())
            WITH CHECK (company_id = ANY (app_companies()) OR affiliation_id = app_affiliation())', t);
    END LOOP;
END $$;

CREATE POLICY tenant ON company TO hcr_web USING (id = ANY (app_companies()));
CREATE POLICY tenant ON affiliation TO hcr_web
    USING (company_id = ANY (app_companies()) OR id = app_affiliation())
    WITH CHECK (company_id = ANY (app_companies()));
-- an employee reads the name of the establishment that declared them, and themselves
CREATE POLICY employee_side ON establishment FOR SELECT TO hcr_web
    USING (id = (SELECT establishment_id FROM affiliation WHERE affiliation.id = app_affiliation()));
CREATE POLICY employee_side ON employee FOR SELECT TO hcr_web
    USING (id = (SELECT employee_id FROM affiliation WHERE affiliation.id = app_affiliation()));

GRANT SELECT ON company, establishment, affiliation_event, dispatch TO hcr_web;
GRANT SELECT, INSERT ON employee, contact, coverage, dependant, affiliation_event TO hcr_web;
-- a declaration, not its read model: the status begins where it begins
GRANT SELECT, INSERT (id, company_id, establishment_id, employee_id, former_id, language, hired_on, professional_status,
    scheme, contract_kind, declared_by, policy, medium, asked_medium) ON affiliation TO hcr_web;
GRANT UPDATE (last_name, birth_name, first_names, civility, search_name) ON employee TO hcr_web;
-- FOR UPDATE needs a column to update; the read model itself stays the workflow's
GRANT UPDATE (declared_by) ON affiliation TO hcr_web;
GRANT SELECT, INSERT, UPDATE ON enrolment, idempotency TO hcr_web;
GRANT INSERT ON audit_log TO hcr_web;

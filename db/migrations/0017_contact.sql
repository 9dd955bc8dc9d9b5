-- Requests to HCR Bien-Être: what employers ask, what staff answer, the files of both, and until when an answer is due.
--
-- A request is its company's: those who follow the company read it there, its words sealed.

-- Receipt numbers; one that a refused request had taken is missing, and nobody misses it.
CREATE SEQUENCE contact_number;

CREATE TABLE contact_request (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    number text NOT NULL UNIQUE DEFAULT
        'HCR-' || to_char(now() AT TIME ZONE 'Europe/Paris', 'YYYY') || '-' ||
        lpad(nextval('contact_number')::text, 6, '0'),
    company_id uuid NOT NULL REFERENCES company,
    user_id uuid REFERENCES portal_user,        -- null: the account was deleted
    key text NOT NULL,                          -- of whoever sent it: the same again is the same request
    request_hash bytea NOT NULL,
    reason text NOT NULL,                       -- a code of domain/data/contact_reasons.toml
    subject_sealed bytea NOT NULL,
    state text NOT NULL DEFAULT 'received' CHECK (state IN ('received', 'assigned', 'answered', 'closed', 'reopened')),
    assigned_to uuid REFERENCES portal_user,
    received_at timestamptz NOT NULL DEFAULT now(),
    acknowledged_at timestamptz,
    due_at timestamptz NOT NULL,                -- an answer is due until then
    escalated_at timestamptz,                   -- the heads were told that it was not there
    answered_at timestamptz,                    -- last
    reopened_at timestamptz,                    -- last
    closed_at timestamptz,
    satisfaction smallint CHECK (satisfaction BETWEEN 1 AND 5),
    rated_at timestamptz,
    version integer NOT NULL DEFAULT 1,
    told_version integer NOT NULL DEFAULT 0,    -- what its workflow has heard of
    told_at timestamptz NOT NULL DEFAULT now(), -- since when it should have
    UNIQUE (user_id, key),
    UNIQUE (id, company_id),
    CHECK ((state = 'closed') = (closed_at IS NOT NULL)),
    CHECK (state <> 'answered' OR answered_at IS NOT NULL),
    CHECK ((satisfaction IS NULL) = (rated_at IS NULL))
);
CREATE INDEX contact_request_of_company ON contact_request (company_id, received_at DESC, id DESC);
CREATE INDEX contact_request_of_user ON contact_request (user_id, received_at DESC, id DESC);
CREATE INDEX contact_request_waiting ON contact_request (due_at, id) WHERE state IN ('received', 'assigned', 'reopened');
CREATE INDEX contact_request_by_date ON contact_request (received_at DESC, id DESC);
CREATE INDEX contact_request_untold ON contact_request (told_at) WHERE told_version < version;
CREATE INDEX contact_request_closed ON contact_request (closed_at) WHERE closed_at IS NOT NULL;
CREATE INDEX ON contact_request (assigned_to) WHERE assigned_to IS NOT NULL;

CREATE TABLE contact_message (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    request_id uuid NOT NULL,
    company_id uuid NOT NULL,
    number integer NOT NULL,                    -- within the request, from 1
    author_kind text NOT NULL CHECK (author_kind IN ('user', 'staff')),
    author_id uuid REFERENCES portal_user,      -- null: the account was deleted
    key text NOT NULL,
    request_hash bytea NOT NULL,
    body_sealed bytea NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (request_id, number),
    UNIQUE (request_id, author_id, key),
    FOREIGN KEY (request_id, company_id) REFERENCES contact_request (id, company_id)
);
CREATE INDEX ON contact_message (author_id) WHERE author_id IS NOT NULL;

CREATE TABLE contact_file (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    request_id uuid NOT NULL,
    company_id uuid NOT NULL,
    message_number integer NOT NULL,
    name_sealed bytea NOT NULL,
    media_type text NOT NULL,
    size integer NOT NULL,
    sha256 bytea NOT NULL,
    object_key text UNIQUE,                     -- null: nobody gets it any more
    data_key_sealed bytea,
    scan text NOT NULL CHECK (scan IN ('pending', 'clean', 'not_scanned', 'infected', 'unreadable')),
    uploaded_at timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (request_id, company_id) REFERENCES contact_request (id, company_id),
    FOREIGN KEY (request_id, message_number) REFERENCES contact_message (request_id, number)
);
CREATE INDEX ON contact_file (request_id);
CREATE INDEX contact_file_pending ON contact_file (uploaded_at) WHERE scan = 'pending';

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['contact_request', 'contact_message', 'contact_file'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY system ON %I TO hcr_system USING (true) WITH CHECK (true)', t);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO hcr_system', t);
        EXECUTE format('CREATE POLICY tenant ON %I TO hcr_web
            USING (company_id = ANY ((SELECT app_companies())::uuid[]))
            WITH CHECK (company_id = ANY ((SELECT app_companies())::uuid[]))', t);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO hcr_web', t);
    END LOOP;
END $$;
GRANT USAGE ON SEQUENCE contact_number TO hcr_web, hcr_system;
-- What an employer's reply, a reopening and a rating change; assignment, answers and closing are staff's.
GRANT UPDATE (state, due_at, escalated_at, reopened_at, closed_at, satisfaction, rated_at, version, told_at)
    ON contact_request TO hcr_web;

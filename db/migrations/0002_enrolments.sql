-- The employee's enrolment: answers kept one by one, documents, signature, waiver (« dispense »), second knowledge.

-- enrolment --------------------------------------------------------------------------------------------------------------

-- `content_sealed` holds each answer with the version that it last changed in.
ALTER TABLE enrolment
    ADD COLUMN form_version text,
    -- what is missing or being checked, as counted here and as the workflow was last told
    ADD COLUMN pieces_version integer NOT NULL DEFAULT 0,
    ADD COLUMN pieces_told integer NOT NULL DEFAULT 0,
    ADD COLUMN checking boolean NOT NULL DEFAULT false,
    -- by the contact that the employee gave; null: as the employer gave it
    ADD COLUMN contact_version integer;
CREATE INDEX enrolment_pieces_untold ON enrolment (saved_at) WHERE pieces_told < pieces_version;
CREATE INDEX enrolment_checking ON enrolment (submitted_at) WHERE checking;

CREATE TABLE signature (
    affiliation_id uuid PRIMARY KEY REFERENCES affiliation,
    company_id uuid NOT NULL REFERENCES company,
    name_sealed bytea NOT NULL,
    signed_at timestamptz NOT NULL,
    form_version text NOT NULL,
    text_version text NOT NULL,   -- messages/legal
    text_sha256 bytea NOT NULL,   -- of every text that was signed, in the order of the form
    language text NOT NULL        -- of the translation that stood beside the French text
);

CREATE TABLE document (
    id uuid PRIMARY KEY,
    company_id uuid NOT NULL REFERENCES company,
    affiliation_id uuid NOT NULL REFERENCES affiliation,
    piece text NOT NULL,          -- domain/pieces.py: `rib`, `school_certificate:k1`
    name_sealed bytea NOT NULL,
    text_sealed bytea,            -- a PDF's text layer, to compare with what is typed
    media_type text NOT NULL CHECK (media_type IN ('application/pdf', 'image/jpeg')),
    size integer NOT NULL,
    pages integer NOT NULL,
    sha256 bytea NOT NULL,        -- of the clear content
    object_key text NOT NULL UNIQUE,
    data_key_sealed bytea NOT NULL,
    quality text[] NOT NULL DEFAULT '{}',
    scan text NOT NULL DEFAULT 'pending' CHECK (scan IN ('pending', 'clean', 'infected', 'not_scanned')),
    uploaded_by text NOT NULL,    -- the medium of the link or code, or `staff`
    uploaded_at timestamptz NOT NULL DEFAULT now(),
    verdict text CHECK (verdict IN ('accepted', 'refused')),
    verdict_reason text,
    verdict_by text,
    verdict_at timestamptz
);
CREATE INDEX ON document (affiliation_id);
CREATE INDEX document_pending ON document (uploaded_at) WHERE scan = 'pending';
CREATE INDEX document_by_verdict ON document (verdict_at) WHERE verdict IS NOT NULL;

CREATE TABLE waiver (
    id uuid PRIMARY KEY,
    company_id uuid NOT NULL REFERENCES company,
    establishment_id uuid NOT NULL REFERENCES establishment,
    employee_id uuid NOT NULL REFERENCES employee,
    affiliation_id uuid NOT NULL UNIQUE REFERENCES affiliation,
    reason text NOT NULL,         -- domain/data/waivers.toml
    starts_on date NOT NULL,
    ends_on date NOT NULL,        -- then the person is asked again
    sworn boolean NOT NULL,       -- a sworn statement stands for the proof
    ended_on date,                -- ended before its time
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON waiver (company_id);

ALTER TABLE coverage
    ADD COLUMN teletransmission boolean NOT NULL DEFAULT false;

ALTER TABLE dependant
    ADD COLUMN key text,          -- as the answers name it
    ADD COLUMN civil_link text CHECK (civil_link IN ('marriage', 'pacs', 'cohabitation')),
    ADD COLUMN attached_to text CHECK (attached_to IN ('employee', 'partner', 'both', 'own')),
    ADD COLUMN student boolean;

-- Where an affiliation comes from: declared, resumed by the employer, or a waiver that ended.
ALTER TABLE affiliation
    ADD COLUMN origin text NOT NULL DEFAULT 'declared' CHECK (origin IN ('declared', 'restarted', 'waiver_ended'));
UPDATE affiliation SET origin = 'restarted' WHERE former_id IS NOT NULL;
-- a finalised one whose documents are awaited, and whatever waits for a person
CREATE INDEX affiliation_awaited ON affiliation (checked_at NULLS FIRST)
    WHERE status = 'finalised' AND state ->> 'awaited' = 'true';
DROP INDEX affiliation_waiting;
CREATE INDEX affiliation_waiting ON affiliation (status_at) WHERE attention IS NOT NULL;
-- the reference that people quote and paper carries as a QR code: the end of the id
CREATE INDEX affiliation_by_reference ON affiliation (right(id::text, 12));
CREATE UNIQUE INDEX affiliation_once_after_waiver ON affiliation (former_id) WHERE origin = 'waiver_ended';

-- What the employee says of themselves is not shown to the employer.
ALTER TABLE contact ADD COLUMN given_by text NOT NULL DEFAULT 'employer' CHECK (given_by IN ('employer', 'employee'));

-- access -----------------------------------------------------------------------------------------------------------------

-- security.md L-07: what was saved opens again with a second knowledge
ALTER TABLE employee_session ADD COLUMN proved_at timestamptz;

CREATE TABLE birth_date_tries (
    affiliation_id uuid PRIMARY KEY REFERENCES affiliation,
    company_id uuid NOT NULL REFERENCES company,
    failures integer NOT NULL DEFAULT 0,
    paused_until timestamptz
);

-- security.md L-02: wrong secrets within the hour that began with the first of them
ALTER TABLE access_token
    ADD COLUMN hour_failures integer NOT NULL DEFAULT 0,
    ADD COLUMN hour_began timestamptz;

-- rights -----------------------------------------------------------------------------------------------------------------

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['signature', 'document', 'waiver', 'birth_date_tries'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY system ON %I TO hcr_system USING (true) WITH CHECK (true)', t);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO hcr_system', t);
    END LOOP;
    -- the employee's alone: an employer sees neither documents nor signatures (security.md Z-06)
    FOREACH t IN ARRAY ARRAY['signature', 'document', 'birth_date_tries'] LOOP
        EXECUTE format('CREATE POLICY employee_side ON %I TO hcr_web
            USING (affiliation_id = app_affiliation()) WITH CHECK (affiliation_id = app_affiliation())', t);
    END LOOP;
END $$;

-- the employee's own, and the one whose end brought them back
CREATE POLICY tenant ON waiver TO hcr_web
    USING (company_id = ANY (app_companies()) OR affiliation_id = app_affiliation()
        OR affiliation_id = (SELECT former_id FROM affiliation WHERE affiliation.id = app_affiliation()))
    WITH CHECK (company_id = ANY (app_companies()) OR affiliation_id = app_affiliation());

GRANT SELECT, INSERT ON signature, waiver TO hcr_web;
GRANT SELECT, INSERT, UPDATE ON birth_date_tries TO hcr_web;
GRANT SELECT, INSERT, DELETE ON document TO hcr_web;

-- An employee corrects what the employer wrote of them, and chooses the language of what follows.
CREATE POLICY employee_corrects ON employee FOR UPDATE TO hcr_web
    USING (id = (SELECT employee_id FROM affiliation WHERE affiliation.id = app_affiliation()))
    WITH CHECK (id = (SELECT employee_id FROM affiliation WHERE affiliation.id = app_affiliation()));
GRANT UPDATE (birth_date, nir_sealed, nir_index) ON employee TO hcr_web;
CREATE POLICY employee_chooses ON affiliation FOR UPDATE TO hcr_web
    USING (id = app_affiliation()) WITH CHECK (id = app_affiliation());
GRANT UPDATE (language, scheme) ON affiliation TO hcr_web;
GRANT INSERT (origin) ON affiliation TO hcr_web;

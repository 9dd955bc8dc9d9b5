-- Exports of lists: who asked for what, how far it is, and the file, which lies encrypted in the object store for a day.
--
-- A file is its user's, not a company's: only the system role, which knows who is calling, looks here.

CREATE TABLE export_job (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    user_id uuid NOT NULL REFERENCES portal_user ON DELETE CASCADE,
    company_ids uuid[] NOT NULL,        -- the perimeter that it was asked in
    kind text NOT NULL,
    form text NOT NULL,                 -- the file's: xlsx, csv…
    parameters_sealed bytea,            -- what was asked for, which may be a part of a name; null: the file is gone
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN
        ('asked', 'waiting', 'running', 'done', 'failed', 'cancelled')),  -- asked: a code is to be given first
    attempts integer NOT NULL DEFAULT 0,
    rows_done integer NOT NULL DEFAULT 0,
    rows_total integer,                 -- null: not counted yet
    object_key text UNIQUE,
    data_key_sealed bytea,
    sha256 bytea,
    size integer,
    requested_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    finished_at timestamptz,
    expires_at timestamptz,             -- nobody gets the file from then on
    downloaded_at timestamptz,          -- first
    CHECK ((state = 'done') = (expires_at IS NOT NULL))
);
CREATE INDEX export_job_of_user ON export_job (user_id, requested_at DESC, id DESC);
CREATE INDEX export_job_unfinished ON export_job (requested_at) WHERE state IN ('waiting', 'running');
CREATE INDEX export_job_file ON export_job (expires_at) WHERE object_key IS NOT NULL;

ALTER TABLE export_job ENABLE ROW LEVEL SECURITY;
ALTER TABLE export_job FORCE ROW LEVEL SECURITY;
CREATE POLICY system ON export_job TO hcr_system USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON export_job TO hcr_system;

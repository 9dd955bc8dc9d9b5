-- The company register as staff keep it, the queue of messages, and consulting an employer's space in their place.

-- register ---------------------------------------------------------------------------------------------------------------

-- Names as they are searched: domain.names.search_form, in SQL.
CREATE FUNCTION search_form(name text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
RETURN regexp_replace(btrim(regexp_replace(
    translate(replace(replace(normalize(lower(name), NFD), 'œ', 'oe'), 'æ', 'ae'), '’-', ''' '),
    '[\u0300-\u036f]', '', 'g')), '\s+', ' ', 'g');

ALTER TABLE company ADD COLUMN search_name text GENERATED ALWAYS AS (search_form(name)) STORED;
ALTER TABLE establishment ADD COLUMN search_name text GENERATED ALWAYS AS (search_form(name)) STORED;
CREATE INDEX company_by_words ON company USING gin (search_name gin_trgm_ops);
CREATE INDEX establishment_by_words ON establishment USING gin (search_name gin_trgm_ops);
CREATE INDEX company_by_name ON company (search_name COLLATE "C", id);
CREATE INDEX company_by_reference ON company (upper(insurer_reference));
CREATE INDEX ON company_recovery (company_id, requested_at);

-- queue of messages ------------------------------------------------------------------------------------------------------

CREATE INDEX dispatch_queue ON dispatch (state, prepared_at, id) INCLUDE (medium)
    WHERE state IN ('prepared', 'handed_over', 'unknown', 'rejected');

-- look-as: a member of staff reads a company's space for a while, with a reason ------------------------------------------

CREATE TABLE look_as (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    session_id uuid NOT NULL,                     -- the browser's, which may have ended since
    user_id uuid REFERENCES portal_user,          -- none: the account has gone since
    company_id uuid NOT NULL REFERENCES company,
    reason text NOT NULL,
    ticket text,                                  -- the request's reference: letters and digits
    began_at timestamptz NOT NULL DEFAULT now(),
    ends_at timestamptz NOT NULL,
    ended_at timestamptz                          -- before its time
);
CREATE INDEX look_as_open ON look_as (session_id, ends_at) WHERE ended_at IS NULL;
CREATE INDEX ON look_as (company_id, id DESC);
CREATE INDEX ON look_as (user_id);
ALTER TABLE look_as ENABLE ROW LEVEL SECURITY;
ALTER TABLE look_as FORCE ROW LEVEL SECURITY;
CREATE POLICY system ON look_as TO hcr_system USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON look_as TO hcr_system;

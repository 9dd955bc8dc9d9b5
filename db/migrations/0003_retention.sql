-- Retention and erasure: what was erased, and how the security log is purged.

-- One row for each erasure of a person's data: the list that a restored backup is held against (security.md D-08), and
-- until `finished_at` the work that is left outside this database. Ids only, and no foreign keys: what they named is gone.
CREATE TABLE erasure (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    employee_id uuid NOT NULL,
    affiliation_ids uuid[] NOT NULL,
    reason text NOT NULL,                     -- a code: what asked for it
    asked_by text,                            -- staff, by id; null: retention
    kept_until date,                          -- the rest is kept for the prescription; null: all is gone
    erased_at timestamptz NOT NULL DEFAULT now(),
    object_keys text[] NOT NULL DEFAULT '{}', -- still to be deleted from the object store
    finished_at timestamptz
);
CREATE INDEX ON erasure (employee_id);
CREATE INDEX erasure_unfinished ON erasure (erased_at) WHERE finished_at IS NULL;
CREATE INDEX erasure_to_forget ON erasure (finished_at) WHERE finished_at IS NOT NULL;

ALTER TABLE erasure ENABLE ROW LEVEL SECURITY;
ALTER TABLE erasure FORCE ROW LEVEL SECURITY;
CREATE POLICY system ON erasure TO hcr_system USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON erasure TO hcr_system;

-- The week that its retention counts from.
ALTER TABLE birth_date_tries ADD COLUMN began_at timestamptz NOT NULL DEFAULT now();

-- the audit log ------------------------------------------------------------------------------------------------------------

-- Security events (security.md J-06); everything else of the log is evidence of what was done, and is kept.
CREATE FUNCTION is_security_event(event text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT split_part(event, '.', 1) IN ('auth', 'authz', 'link', 'input', 'webhook', 'ops', 'config') $$;

CREATE INDEX audit_log_security ON audit_log (at) WHERE is_security_event(event);

-- Nobody deletes from the log but this function, and it only what its owner's policies let it see: security events of
-- more than twelve months, by the database's clock. What it deletes it says, in the same transaction.
CREATE FUNCTION purge_security_log(due_before timestamptz, at_most integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS
$$
DECLARE
    purged integer;
    oldest timestamptz;
    newest timestamptz;
BEGIN
    WITH due AS (
        SELECT id FROM audit_log
        WHERE at < purge_security_log.due_before AND is_security_event(event)
        ORDER BY at LIMIT purge_security_log.at_most
    ), gone AS (
        DELETE FROM audit_log USING due WHERE audit_log.id = due.id RETURNING audit_log.at
    )
    SELECT count(*), min(at), max(at) INTO purged, oldest, newest FROM gone;
    IF purged > 0 THEN
        INSERT INTO audit_log (actor_kind, event, details) VALUES
            ('system', 'log.purged', jsonb_build_object('rows', purged, 'from', oldest, 'to', newest));
    END IF;
    RETURN purged;
END
$$;
REVOKE ALL ON FUNCTION purge_security_log(timestamptz, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION purge_security_log(timestamptz, integer) TO hcr_system;

CREATE POLICY purge_sees ON audit_log FOR SELECT TO CURRENT_USER
    USING (is_security_event(event) AND at < now() - interval '12 months');
CREATE POLICY purge_deletes ON audit_log FOR DELETE TO CURRENT_USER
    USING (is_security_event(event) AND at < now() - interval '12 months');
CREATE POLICY purge_tells ON audit_log FOR INSERT TO CURRENT_USER
    WITH CHECK (event = 'log.purged' AND actor_kind = 'system');

-- what the purge looks for -------------------------------------------------------------------------------------------------

CREATE INDEX affiliation_closed ON affiliation (status_at) WHERE status = 'abandoned';
CREATE INDEX affiliation_finalised ON affiliation (status_at) WHERE status = 'finalised';
CREATE INDEX coverage_ended ON coverage (ends_on) WHERE ends_on IS NOT NULL;
CREATE INDEX ON coverage (employee_id);
CREATE INDEX ON waiver ((coalesce(ended_on, ends_on)));
CREATE INDEX ON waiver (employee_id);
CREATE INDEX ON dependant (affiliation_id);
CREATE INDEX ON employee_session (expires_at);
CREATE INDEX ON employee_session (dispatch_id);
CREATE INDEX ON idempotency (created_at);
CREATE INDEX ON idempotency (affiliation_id);
CREATE INDEX ON delivery_event (received_at);
CREATE INDEX ON birth_date_tries (began_at);

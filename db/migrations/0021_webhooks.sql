-- Outgoing webhooks: addresses of a company's software, and each event of its affiliations on the way to them.
--
-- A delivery is written with the event itself, in its transaction: what happened is never without it. Only ids, codes
-- and dates leave; the address and the secrets lie encrypted, as an address often holds a token.

CREATE TABLE webhook_endpoint (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    company_id uuid NOT NULL REFERENCES company,
    name text NOT NULL,
    url_sealed bytea NOT NULL,
    secret_sealed bytea NOT NULL,
    former_secret_sealed bytea,          -- signs beside the new one until then
    former_until timestamptz,
    kinds text[] NOT NULL DEFAULT '{}',  -- of events; empty: all
    state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'paused', 'stopped')),  -- stopped: by us
    failures integer NOT NULL DEFAULT 0, -- in a row
    failing_since timestamptz,
    retry_at timestamptz,                -- nothing is tried before
    last_success_at timestamptz,
    created_by uuid REFERENCES portal_user ON DELETE SET NULL,  -- null: an API key
    created_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((former_secret_sealed IS NULL) = (former_until IS NULL)),
    CHECK ((failures = 0) = (failing_since IS NULL))
);
CREATE INDEX ON webhook_endpoint (company_id);
CREATE INDEX ON webhook_endpoint (created_by) WHERE created_by IS NOT NULL;

CREATE TABLE webhook_delivery (
    id uuid PRIMARY KEY DEFAULT uuidv7(),  -- the receiver's `webhook-id`, the same at every try
    endpoint_id uuid NOT NULL REFERENCES webhook_endpoint ON DELETE CASCADE,
    company_id uuid NOT NULL REFERENCES company,
    affiliation_id uuid,                 -- null: a test
    number integer,                      -- the event's
    kind text NOT NULL,
    status text,                         -- the affiliation's, once it had happened
    happened_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'failed')),
    attempts integer NOT NULL DEFAULT 0,
    last_status integer,                 -- the receiver's last answer
    last_error text,                     -- or why there was none, as a code
    next_at timestamptz NOT NULL DEFAULT now(),
    tried_at timestamptz,
    delivered_at timestamptz,
    UNIQUE (affiliation_id, number, endpoint_id),
    -- what is forgotten of an affiliation is forgotten here
    FOREIGN KEY (affiliation_id, number) REFERENCES affiliation_event ON DELETE CASCADE,
    CHECK ((affiliation_id IS NULL) = (number IS NULL)),
    CHECK ((affiliation_id IS NULL) = (status IS NULL)),
    CHECK (affiliation_id IS NOT NULL OR state <> 'waiting'),
    CHECK ((state = 'delivered') = (delivered_at IS NOT NULL))
);
-- the oldest one of each affiliation is the only one that may leave
CREATE INDEX webhook_delivery_waiting ON webhook_delivery (endpoint_id, affiliation_id, number)
    INCLUDE (next_at) WHERE state = 'waiting';
CREATE INDEX webhook_delivery_log ON webhook_delivery (endpoint_id, id DESC);
CREATE INDEX webhook_delivery_old ON webhook_delivery (happened_at);

ALTER TABLE webhook_endpoint ENABLE ROW LEVEL SECURITY;
ALTER TABLE webhook_endpoint FORCE ROW LEVEL SECURITY;
ALTER TABLE webhook_delivery ENABLE ROW LEVEL SECURITY;
ALTER TABLE webhook_delivery FORCE ROW LEVEL SECURITY;
CREATE POLICY system ON webhook_endpoint TO hcr_system USING (true) WITH CHECK (true);
CREATE POLICY system ON webhook_delivery TO hcr_system USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_endpoint, webhook_delivery TO hcr_system;
-- An employer's request declares somebody: of the endpoints it sees as much as its event needs, of deliveries nothing.
CREATE POLICY tenant ON webhook_endpoint FOR SELECT TO hcr_web USING (company_id = ANY (app_companies()));
CREATE POLICY tenant ON webhook_delivery FOR INSERT TO hcr_web WITH CHECK (company_id = ANY (app_companies()));
GRANT SELECT (id, company_id, kinds, state) ON webhook_endpoint TO hcr_web;
GRANT INSERT (endpoint_id, company_id, affiliation_id, number, kind, status, happened_at) ON webhook_delivery TO hcr_web;

-- Also while an endpoint is paused or stopped: what waits leaves, in its order, once it goes on.
CREATE FUNCTION webhooks_of_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO webhook_delivery (endpoint_id, company_id, affiliation_id, number, kind, status, happened_at)
    SELECT e.id, NEW.company_id, NEW.affiliation_id, NEW.number, NEW.kind, a.status, NEW.at
    FROM webhook_endpoint e JOIN affiliation a ON a.id = NEW.affiliation_id
    WHERE e.company_id = NEW.company_id AND (e.kinds = '{}' OR NEW.kind = ANY (e.kinds));
    IF FOUND THEN
        PERFORM pg_notify('webhooks', e.id::text) FROM webhook_endpoint e
        WHERE e.company_id = NEW.company_id AND e.state = 'active';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER webhooks AFTER INSERT ON affiliation_event FOR EACH ROW EXECUTE FUNCTION webhooks_of_event();

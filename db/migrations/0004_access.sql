-- Access: users and their rights on companies, sign-in, second factor, sessions, notices, limits, the audit chain.

-- register ---------------------------------------------------------------------------------------------------------------

ALTER TABLE company
    ADD COLUMN office_line1 text,        -- the registered office, where code letters go
    ADD COLUMN office_line2 text,
    ADD COLUMN office_postcode text,
    ADD COLUMN office_city text,
    ADD COLUMN closed_on date,
    ADD COLUMN activated_at timestamptz; -- it has had an administrator since

-- whom the insurer's register knows there
CREATE TABLE company_contact (
    company_id uuid PRIMARY KEY REFERENCES company,
    email text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- users ------------------------------------------------------------------------------------------------------------------

CREATE TABLE portal_user (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), -- without its time: it would tell who invites that there was an account
    kind text NOT NULL CHECK (kind IN ('employer', 'staff')),
    email text NOT NULL CHECK (email = lower(email)),
    first_name text NOT NULL,
    last_name text NOT NULL,
    email_proved_at timestamptz,
    password_hash text,                           -- argon2id of the peppered password; null until it is created
    password_version integer NOT NULL DEFAULT 0,  -- counts its changes
    password_changed_at timestamptz,
    phone_sealed bytea,
    phone_index bytea,
    phone_proved_at timestamptz,
    totp_sealed bytea,
    totp_proved_at timestamptz,
    totp_last_step bigint,                        -- the last one used: none is used twice
    totp_next_sealed bytea,                       -- of an app that has shown no code yet: the former one holds until then
    terms_version text,                           -- the last one accepted
    staff_roles text[] NOT NULL DEFAULT '{}',
    suspended_at timestamptz,                     -- everywhere; on one company: its membership
    revoked_at timestamptz,
    code_due text CHECK (code_due IN ('password_reset', 'phone_changed', 'role_raised', 'reactivated')),
    last_signed_in_at timestamptz,                -- with everything that was asked
    failures integer NOT NULL DEFAULT 0,          -- wrong passwords in a row
    blocks integer NOT NULL DEFAULT 0,            -- each is longer than the one before
    blocked_until timestamptz,
    code_blocked_until timestamptz,               -- the second factor, right codes too
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text,
    UNIQUE (kind, email),
    CHECK (kind = 'staff' OR staff_roles = '{}')
);
CREATE INDEX ON portal_user (phone_index) WHERE phone_index IS NOT NULL;

CREATE TABLE invitation (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    user_id uuid NOT NULL REFERENCES portal_user,
    invited_by uuid REFERENCES portal_user,       -- null: by the command of the first account
    first_name text NOT NULL,                     -- as the inviter wrote them: the person's own may differ
    last_name text NOT NULL,
    email text,                                   -- the same; null: not by a company
    token_hash bytea NOT NULL UNIQUE,
    generation integer NOT NULL DEFAULT 1,        -- a new link when the former one has expired
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    accepted_at timestamptz,
    revoked_at timestamptz
);
CREATE INDEX ON invitation (user_id);

CREATE TABLE mandate (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    company_id uuid NOT NULL REFERENCES company,
    user_id uuid NOT NULL REFERENCES portal_user, -- the third-party declarant
    asked_at timestamptz NOT NULL DEFAULT now(),
    decided_at timestamptz,
    decided_by uuid REFERENCES portal_user,
    state text NOT NULL DEFAULT 'asked' CHECK (state IN ('asked', 'accepted', 'refused', 'revoked', 'ended')),
    ends_on date,                                 -- the last day: as it was asked for, then as accepted
    ended_at timestamptz,
    ended_by uuid REFERENCES portal_user
);
CREATE INDEX ON mandate (company_id);
CREATE INDEX ON mandate (user_id);
CREATE UNIQUE INDEX mandate_one_open ON mandate (company_id, user_id) WHERE state IN ('asked', 'accepted');

CREATE TABLE membership (
    user_id uuid NOT NULL REFERENCES portal_user,
    company_id uuid NOT NULL REFERENCES company,
    role text NOT NULL CHECK (role IN ('administrator', 'member')),
    invitation_id uuid REFERENCES invitation,
    granted_by uuid REFERENCES portal_user,       -- null: activation, recovery
    granted_at timestamptz NOT NULL DEFAULT now(),
    accepted_at timestamptz,                      -- null: invited, nothing is open yet
    suspended_at timestamptz,
    suspended_why text CHECK (suspended_why IN ('administrator', 'review')),
    revoked_at timestamptz,
    mandate_id uuid REFERENCES mandate,
    ends_on date,                                 -- a mandate's last day
    confirmed_at timestamptz,                     -- by the last review of rights
    review_noticed_at timestamptz,                -- the administrators were told that a review is due
    PRIMARY KEY (user_id, company_id)
);
CREATE INDEX ON membership (company_id);
CREATE INDEX membership_to_review ON membership (coalesce(confirmed_at, accepted_at))
    WHERE accepted_at IS NOT NULL AND revoked_at IS NULL AND suspended_at IS NULL;

-- Whether it opens its company now; dates in Paris.
CREATE FUNCTION is_active(m membership) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT m.accepted_at IS NOT NULL AND m.suspended_at IS NULL AND m.revoked_at IS NULL
       AND (m.ends_on IS NULL OR m.ends_on >= (now() AT TIME ZONE 'Europe/Paris')::date) $$;

-- Whether who offered rights on a company could offer them now (security.md A-24); null: activation, recovery.
CREATE FUNCTION may_still_grant(giver uuid, company uuid) RETURNS boolean LANGUAGE sql STABLE AS
$$ SELECT giver IS NULL OR EXISTS (
       SELECT FROM portal_user u WHERE u.id = giver AND u.suspended_at IS NULL AND u.revoked_at IS NULL
           AND (u.kind = 'staff' OR EXISTS (
               SELECT FROM membership m WHERE m.user_id = giver AND m.company_id = company
                   AND m.role = 'administrator' AND is_active(m)))) $$;

CREATE TABLE terms_acceptance (
    user_id uuid NOT NULL REFERENCES portal_user,
    version text NOT NULL,
    accepted_at timestamptz NOT NULL DEFAULT now(),
    network inet,
    PRIMARY KEY (user_id, version)
);

CREATE TABLE activation (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    company_id uuid NOT NULL REFERENCES company,
    email text NOT NULL,
    first_name text NOT NULL,
    last_name text NOT NULL,
    password_hash text NOT NULL,
    terms_version text NOT NULL,
    network inet,
    proof text NOT NULL CHECK (proof IN ('email', 'register_contact', 'letter')),
    token_hash bytea UNIQUE,                      -- of the link that is awaited: the contact's agreement, then the address
    tries integer NOT NULL DEFAULT 0,             -- of its password
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    completed_at timestamptz,
    stop_hash bytea NOT NULL UNIQUE,              -- the known contact's link that stops it
    stopped_at timestamptz
);
CREATE INDEX ON activation (company_id);

-- An administrator who has gone: somebody else becomes one by a code posted to the registered office.
CREATE TABLE company_recovery (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    company_id uuid NOT NULL REFERENCES company,
    email text NOT NULL,
    first_name text NOT NULL,
    last_name text NOT NULL,
    state text NOT NULL DEFAULT 'requested'
        CHECK (state IN ('requested', 'letter_sent', 'code_entered', 'granted', 'stopped', 'expired', 'undeliverable')),
    stop_hash bytea NOT NULL UNIQUE,
    requested_at timestamptz NOT NULL DEFAULT now(),
    code_entered_at timestamptz,
    grant_at timestamptz,                         -- when it is granted unless somebody stops it
    ended_at timestamptz,
    stopped_by text
);
CREATE UNIQUE INDEX company_recovery_one_open ON company_recovery (company_id)
    WHERE state IN ('requested', 'letter_sent', 'code_entered');

-- sign-in ----------------------------------------------------------------------------------------------------------------

CREATE TABLE trusted_device (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    user_id uuid NOT NULL REFERENCES portal_user,
    token_hash bytea NOT NULL,
    former_hash bytea,                            -- still taken until the new one has been seen
    browser text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    seen_at timestamptz NOT NULL DEFAULT now(),
    failures integer NOT NULL DEFAULT 0,          -- its own count of wrong passwords
    blocked_until timestamptz,
    revoked_at timestamptz
);
CREATE INDEX ON trusted_device (user_id);

CREATE TABLE known_address (
    user_id uuid NOT NULL REFERENCES portal_user,
    network inet NOT NULL,                        -- IPv4 /32, IPv6 /64
    first_at timestamptz NOT NULL DEFAULT now(),
    last_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, network)
);

CREATE TABLE portal_session (
    token_hash bytea PRIMARY KEY,
    id uuid NOT NULL UNIQUE DEFAULT uuidv7(),     -- names it in lists
    user_id uuid NOT NULL REFERENCES portal_user,
    stage text NOT NULL CHECK (stage IN ('password', 'open')), -- password: the second factor is still asked
    former_hash bytea,                            -- before the company was switched: a tab left there is told so
    company_id uuid REFERENCES company,           -- the perimeter; null: all of the user's companies
    device_id uuid REFERENCES trusted_device ON DELETE SET NULL,
    network inet NOT NULL,
    browser text NOT NULL,
    password_version integer NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    seen_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,              -- whatever is done in it
    stepped_up_at timestamptz                     -- the last code given in it
);
CREATE INDEX ON portal_session (user_id);
CREATE INDEX ON portal_session (expires_at);

CREATE TABLE challenge (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES portal_user,
    session_hash bytea NOT NULL REFERENCES portal_session ON DELETE CASCADE ON UPDATE CASCADE,
    purpose text NOT NULL CHECK (purpose IN ('sign_in', 'step_up', 'phone')),
    password_version integer NOT NULL,
    secret_sealed bytea NOT NULL,
    phone_sealed bytea NOT NULL,                  -- where the code went
    phone_index bytea NOT NULL,
    issued_at timestamptz NOT NULL DEFAULT now(),
    sends integer NOT NULL DEFAULT 0,
    sent_at timestamptz,
    tries integer NOT NULL DEFAULT 0,
    consumed_at timestamptz
);
CREATE INDEX ON challenge (user_id, issued_at);
CREATE INDEX ON challenge (session_hash);
CREATE INDEX ON challenge (issued_at);

-- wrong codes of an account, whatever the challenge, the session and the address
CREATE TABLE wrong_code (
    user_id uuid NOT NULL REFERENCES portal_user,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX ON wrong_code (user_id, at);

CREATE TABLE recovery_code (
    user_id uuid NOT NULL REFERENCES portal_user,
    number integer NOT NULL,
    secret_hash text NOT NULL,
    used_at timestamptz,
    PRIMARY KEY (user_id, number)
);

CREATE TABLE password_reset (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    user_id uuid NOT NULL REFERENCES portal_user,
    token_hash bytea NOT NULL UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    dead_at timestamptz
);
CREATE INDEX ON password_reset (user_id);

CREATE TABLE email_change (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    user_id uuid NOT NULL REFERENCES portal_user,
    new_email text NOT NULL,
    token_hash bytea NOT NULL UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    done_at timestamptz,
    dead_at timestamptz
);
CREATE INDEX ON email_change (user_id);

-- A lost phone: staff's procedure, with a reason, a delay and a notice.
CREATE TABLE phone_loss (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    user_id uuid NOT NULL REFERENCES portal_user,
    reason text NOT NULL,
    asked_by uuid NOT NULL REFERENCES portal_user,
    asked_at timestamptz NOT NULL DEFAULT now(),
    effective_at timestamptz NOT NULL,
    done_at timestamptz,
    stop_hash bytea NOT NULL UNIQUE,
    stopped_at timestamptz
);
CREATE INDEX ON phone_loss (user_id);
CREATE INDEX phone_loss_due ON phone_loss (effective_at) WHERE done_at IS NULL AND stopped_at IS NULL;

-- notices: what is written to users and companies, once for each business key --------------------------------------------

CREATE TABLE notice (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    key text NOT NULL UNIQUE,
    kind text NOT NULL,
    medium text NOT NULL DEFAULT 'email' CHECK (medium IN ('email', 'post')),
    user_id uuid REFERENCES portal_user,          -- whose address it goes to, as it is then
    recipient text,                               -- or this one: of somebody who is no user yet
    company_id uuid REFERENCES company,
    subject_id uuid,                              -- the invitation, activation, reset… whose link or code it carries
    details jsonb NOT NULL DEFAULT '{}',          -- codes, dates and ids
    not_before timestamptz,
    not_after timestamptz,                        -- too late to be of use
    state text NOT NULL DEFAULT 'prepared'
        CHECK (state IN ('prepared', 'handed_over', 'refused', 'unknown', 'superseded')),
    reason text,
    provider_ref text,
    attempts integer NOT NULL DEFAULT 0,
    calling_since timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    handed_over_at timestamptz
);
CREATE INDEX notice_waiting ON notice (created_at) WHERE state = 'prepared';
CREATE INDEX ON notice (user_id);
CREATE INDEX ON notice (subject_id);

-- the code of a letter to a company's registered office
CREATE TABLE office_code (
    notice_id uuid PRIMARY KEY REFERENCES notice,
    company_id uuid NOT NULL REFERENCES company,
    selector text NOT NULL UNIQUE,
    secret_hash text NOT NULL,
    failures integer NOT NULL DEFAULT 0,
    used_at timestamptz,
    dead_at timestamptz
);

-- abuse limits: shared by all processes, and nothing of value when a crash empties it ------------------------------------

CREATE UNLOGGED TABLE rate_limit (
    key bytea PRIMARY KEY,                        -- keyed hash of the limit's name and whom it counts
    tat timestamptz NOT NULL                      -- the theoretical arrival time of the next one
);
CREATE INDEX ON rate_limit (tat);

-- API keys ---------------------------------------------------------------------------------------------------------------

ALTER TABLE api_key
    ADD COLUMN created_by uuid REFERENCES portal_user,
    ADD COLUMN revoked_by uuid REFERENCES portal_user,
    ADD COLUMN shown text,                        -- the first characters, to recognise it by
    ADD COLUMN last_used_at timestamptz;
CREATE INDEX ON api_key USING gin (company_ids);
-- until now one scope was all that staff's keys had
UPDATE api_key SET scopes = scopes || ARRAY['staff:write', 'staff:export'] WHERE 'staff' = ANY (scopes);

-- audit log --------------------------------------------------------------------------------------------------------------

ALTER TABLE audit_log
    ADD COLUMN outcome text NOT NULL DEFAULT 'done',
    ADD COLUMN object_type text,
    ADD COLUMN object_id text,
    -- set for the transaction by whoever answers a request
    ADD COLUMN request_id text DEFAULT nullif(current_setting('app.request', true), ''),
    ADD COLUMN transaction_id xid8 NOT NULL DEFAULT pg_current_xact_id();
CREATE INDEX ON audit_log (company_id, at) WHERE company_id IS NOT NULL;
CREATE INDEX ON audit_log (actor_id, at) WHERE actor_id IS NOT NULL;
CREATE INDEX ON audit_log (transaction_id, id);
-- Readings, and the alerts about them, once per actor, object and hour.
CREATE UNIQUE INDEX audit_log_hourly ON audit_log (actor_id, event, object_id, date_trunc('hour', at AT TIME ZONE 'UTC'))
    WHERE event IN ('data.viewed', 'authz.mass_read') AND object_id IS NOT NULL;
-- What the alerts count, and what the verification holds missing entries against.
CREATE INDEX audit_log_alerts ON audit_log (at) WHERE event IN ('authz.denied', 'authz.mass_read', 'data.exported');
CREATE INDEX audit_log_purges ON audit_log (at) WHERE event = 'log.purged';

-- From where, for as long as that is needed: the entries themselves are kept.
CREATE TABLE audit_origin (
    audit_id bigint PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    network inet NOT NULL,
    browser text
);
CREATE INDEX ON audit_origin (at);

CREATE FUNCTION add_audit_origin() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
    INSERT INTO audit_origin (audit_id, network, browser)
    VALUES (NEW.id, current_setting('app.network')::inet, nullif(current_setting('app.browser', true), ''));
    RETURN NULL;
END $$;
CREATE TRIGGER origin AFTER INSERT ON audit_log FOR EACH ROW
    WHEN (nullif(current_setting('app.network', true), '') IS NOT NULL) EXECUTE FUNCTION add_audit_origin();

-- One link for each entry, in the order of their commits, made by the sweep once no earlier transaction is left. The
-- links stay when an entry is purged: the chain still holds, and says that the entry was due.
CREATE TABLE audit_chain (
    number bigint PRIMARY KEY,
    audit_id bigint NOT NULL UNIQUE,
    at timestamptz NOT NULL,
    security boolean NOT NULL,                    -- may be purged after twelve months
    transaction_id xid8 NOT NULL,                 -- of the entry: the order of the links, with its id
    content bytea NOT NULL,                       -- SHA-256 of the entry
    hash bytea NOT NULL                           -- SHA-256 of the former link's hash and everything above
);

-- rights -----------------------------------------------------------------------------------------------------------------

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['company_contact', 'portal_user', 'invitation', 'mandate', 'membership', 'terms_acceptance', 'activation',
        'company_recovery', 'trusted_device', 'known_address', 'portal_session', 'challenge', 'wrong_code',
        'recovery_code', 'password_reset', 'email_change', 'phone_loss', 'notice', 'office_code', 'rate_limit',
        'audit_chain', 'audit_origin'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY system ON %I TO hcr_system USING (true) WITH CHECK (true)', t);
        IF t = 'audit_chain' THEN
            EXECUTE 'GRANT SELECT, INSERT ON audit_chain TO hcr_system';
        ELSE
            EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO hcr_system', t);
        END IF;
    END LOOP;
    -- « Mes habilitations »: a company sees who has rights on it
    FOREACH t IN ARRAY ARRAY['membership', 'mandate'] LOOP
        EXECUTE format('CREATE POLICY tenant ON %I TO hcr_web USING (company_id = ANY (app_companies()))', t);
        EXECUTE format('GRANT SELECT ON %I TO hcr_web', t);
    END LOOP;
END $$;

CREATE POLICY tenant ON portal_user TO hcr_web
    USING (EXISTS (SELECT FROM membership m WHERE m.user_id = portal_user.id)
        OR EXISTS (SELECT FROM mandate m WHERE m.user_id = portal_user.id));
CREATE POLICY tenant ON invitation TO hcr_web
    USING (EXISTS (SELECT FROM membership m WHERE m.invitation_id = invitation.id));
GRANT SELECT (id, kind, email, first_name, last_name, last_signed_in_at, suspended_at, revoked_at) ON portal_user TO hcr_web;
GRANT SELECT (id, user_id, first_name, last_name, email, created_at, expires_at, accepted_at, revoked_at) ON invitation TO hcr_web;

-- the origin of an entry is written with it, by whoever writes the entry
CREATE POLICY tenant ON audit_origin FOR INSERT TO hcr_web WITH CHECK (true);
GRANT INSERT ON audit_origin TO hcr_web;

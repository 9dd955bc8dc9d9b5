-- What a user has seen of what happens in their companies, how they want to be written to about it, and up to when
-- they have been. What happens stands in the timelines: no row is written for each user and event.

-- Up to when a user has seen « Notifications »; no row: since their account was made.
CREATE TABLE notification_mark (
    user_id uuid PRIMARY KEY REFERENCES portal_user ON DELETE CASCADE,
    read_until timestamptz NOT NULL
);

-- How a user is written to about a kind of events of a company, where it is another way than the usual one.
CREATE TABLE notification_preference (
    user_id uuid NOT NULL REFERENCES portal_user ON DELETE CASCADE,
    company_id uuid NOT NULL REFERENCES company,
    kind text NOT NULL,
    how text NOT NULL CHECK (how IN ('immediate', 'daily', 'weekly', 'none')),
    PRIMARY KEY (user_id, company_id, kind)
);

-- Up to when a user has been told in each way: moved in the transaction that writes the message.
CREATE TABLE notification_told (
    user_id uuid NOT NULL REFERENCES portal_user ON DELETE CASCADE,
    how text NOT NULL CHECK (how IN ('immediate', 'daily', 'weekly')),
    told_until timestamptz NOT NULL,
    PRIMARY KEY (user_id, how)
);

-- Nobody is told by message, or shown as new, what was before all this. The owner sees no row while row-level security is
-- forced.
ALTER TABLE portal_user NO FORCE ROW LEVEL SECURITY;
ALTER TABLE notice NO FORCE ROW LEVEL SECURITY;
INSERT INTO notification_mark (user_id, read_until) SELECT id, now() FROM portal_user WHERE kind = 'employer';
INSERT INTO notification_told (user_id, how, told_until)
SELECT id, how, now() FROM portal_user CROSS JOIN unnest(ARRAY['immediate', 'daily', 'weekly']) AS of (how)
WHERE kind = 'employer';

-- « Messages »: when its user has opened it here.
ALTER TABLE notice ADD COLUMN read_at timestamptz;
UPDATE notice SET read_at = now();
ALTER TABLE portal_user FORCE ROW LEVEL SECURITY;
ALTER TABLE notice FORCE ROW LEVEL SECURITY;
CREATE INDEX notice_handed_over ON notice (handed_over_at);

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['notification_mark', 'notification_preference', 'notification_told'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY system ON %I TO hcr_system USING (true) WITH CHECK (true)', t);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO hcr_system', t);
    END LOOP;
END $$;

-- What an employer hears of without asking: by company for who looks, in order of time for who is written to.
CREATE INDEX affiliation_event_notable ON affiliation_event (company_id, recorded_at)
    WHERE kind IN ('finalised', 'delivery_failed', 'message_refused', 'declined', 'abandoned');
CREATE INDEX affiliation_event_news ON affiliation_event (recorded_at)
    WHERE kind IN ('finalised', 'delivery_failed', 'message_refused', 'declined', 'abandoned');
CREATE INDEX affiliation_ending ON affiliation (company_id, next_step_at)
    WHERE next_step_kind = 'abandonment' AND status IN ('preparing', 'sent', 'started');

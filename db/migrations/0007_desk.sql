-- Staff's desk: since when something waits for them, who takes it, and whom a number belongs to.

-- The owner sees no row of theirs while row-level security is forced.
ALTER TABLE affiliation NO FORCE ROW LEVEL SECURITY;
ALTER TABLE enrolment NO FORCE ROW LEVEL SECURITY;

-- since when it waits for somebody, for the present reason
ALTER TABLE affiliation ADD COLUMN attention_since timestamptz;
UPDATE affiliation SET attention_since = status_at WHERE attention IS NOT NULL;
ALTER TABLE affiliation ADD CHECK ((attention IS NULL) = (attention_since IS NULL));
CREATE INDEX affiliation_desk ON affiliation (attention, attention_since, id)
    WHERE attention IS NOT NULL AND status <> 'abandoned';

-- since when documents wait for a check
ALTER TABLE enrolment ADD COLUMN checking_since timestamptz;
UPDATE enrolment SET checking_since = submitted_at WHERE checking;
ALTER TABLE enrolment ADD CHECK (checking = (checking_since IS NOT NULL));
DROP INDEX enrolment_checking;
CREATE INDEX enrolment_checking ON enrolment (checking_since, affiliation_id) WHERE checking;

ALTER TABLE affiliation FORCE ROW LEVEL SECURITY;
ALTER TABLE enrolment FORCE ROW LEVEL SECURITY;

-- what one member of staff recorded today
CREATE INDEX enrolment_recorded ON enrolment (recorded_by, submitted_at) WHERE recorded_by IS NOT NULL;

-- a number that somebody gives on the phone, whichever company knows it
CREATE INDEX employee_by_nir ON employee (nir_index);

-- « Je m'en occupe »
CREATE TABLE desk_assignment (
    affiliation_id uuid PRIMARY KEY REFERENCES affiliation ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES portal_user ON DELETE CASCADE,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON desk_assignment (user_id);
ALTER TABLE desk_assignment ENABLE ROW LEVEL SECURITY;
ALTER TABLE desk_assignment FORCE ROW LEVEL SECURITY;
CREATE POLICY system ON desk_assignment TO hcr_system USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON desk_assignment TO hcr_system;

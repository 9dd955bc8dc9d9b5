-- Whoever was affiliated before takes up their former answers with a code, sent to a contact of their former file. The
-- codes are those of the second factor (0004): one table, one purge, one rotation of keys.

-- Of a user's session, or of an employee's. `former_id`: the file that the code opens once it left for a contact of it.
ALTER TABLE challenge
    ALTER COLUMN user_id DROP NOT NULL,
    ALTER COLUMN session_hash DROP NOT NULL,
    ALTER COLUMN password_version DROP NOT NULL,
    ALTER COLUMN phone_sealed DROP NOT NULL,
    ALTER COLUMN phone_index DROP NOT NULL,
    ADD COLUMN employee_session_hash bytea REFERENCES employee_session ON DELETE CASCADE,
    ADD COLUMN former_id uuid REFERENCES affiliation ON DELETE CASCADE,
    DROP CONSTRAINT challenge_purpose_check,
    ADD CONSTRAINT challenge_purpose_check CHECK (
        purpose IN ('sign_in', 'step_up', 'phone')
            AND num_nonnulls(user_id, session_hash, password_version, phone_sealed, phone_index) = 5
            AND num_nonnulls(employee_session_hash, former_id) = 0
        OR purpose = 'former_file'
            AND num_nonnulls(user_id, session_hash, password_version, phone_sealed, phone_index) = 0
            AND employee_session_hash IS NOT NULL);
CREATE INDEX ON challenge (employee_session_hash) WHERE employee_session_hash IS NOT NULL;
CREATE INDEX ON challenge (former_id) WHERE former_id IS NOT NULL;

-- Of an account, or of a person whatever their employer, the session and the challenge.
ALTER TABLE wrong_code
    ALTER COLUMN user_id DROP NOT NULL,
    ADD COLUMN person_index bytea,
    ADD CONSTRAINT wrong_code_of_one CHECK (num_nonnulls(user_id, person_index) = 1);
CREATE INDEX ON wrong_code (person_index, at) WHERE person_index IS NOT NULL;

-- An address or a number that stands in the files of two people tells them not apart.
CREATE INDEX contact_by_email ON contact (email) WHERE email IS NOT NULL;
CREATE INDEX contact_by_phone ON contact (phone) WHERE phone IS NOT NULL;

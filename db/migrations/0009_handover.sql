-- A session goes on with another device: a link that it shows as a QR code, once and for some minutes.

ALTER TABLE employee_session
    ADD COLUMN handover_hash bytea UNIQUE,
    ADD COLUMN handover_at timestamptz,         -- since when the link is shown
    ADD COLUMN handover_opened_at timestamptz;

-- What the context names is read once for a statement here too, not for every row: an accountant's list of companies is
-- long (0006 and 0007 do the same for their tables).

DO $$
DECLARE
    t text;
    own text := 'company_id = ANY ((SELECT app_companies())::uuid[])';
BEGIN
    FOREACH t IN ARRAY ARRAY['contact', 'enrolment'] LOOP
        EXECUTE format('ALTER POLICY tenant ON %I USING (%s OR affiliation_id = (SELECT app_affiliation()))
            WITH CHECK (%2$s OR affiliation_id = (SELECT app_affiliation()))', t, own);
    END LOOP;
    FOREACH t IN ARRAY ARRAY['membership', 'mandate'] LOOP
        EXECUTE format('ALTER POLICY tenant ON %I USING (%s)', t, own);
    END LOOP;
END $$;

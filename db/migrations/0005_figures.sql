-- What an employer's « Accueil » and « Notifications » count and list, company by company.

CREATE INDEX affiliation_by_declaration ON affiliation (company_id, declared_at);
CREATE INDEX affiliation_to_correct ON affiliation (company_id, status_at) WHERE attention IS NOT NULL;
CREATE INDEX affiliation_event_by_company ON affiliation_event (company_id, at DESC, affiliation_id DESC, number DESC);

-- What the context names is read once for a statement, not for every row: an accountant's list of companies is long.
DO $$
DECLARE
    t text;
    own text := 'company_id = ANY ((SELECT app_companies())::uuid[])';
BEGIN
    ALTER POLICY tenant ON affiliation
        USING (company_id = ANY ((SELECT app_companies())::uuid[]) OR id = (SELECT app_affiliation()))
        WITH CHECK (company_id = ANY ((SELECT app_companies())::uuid[]));
    FOREACH t IN ARRAY ARRAY['affiliation_event', 'dispatch'] LOOP
        EXECUTE format('ALTER POLICY tenant ON %I USING (%s OR affiliation_id = (SELECT app_affiliation()))
            WITH CHECK (%2$s OR affiliation_id = (SELECT app_affiliation()))', t, own);
    END LOOP;
END $$;

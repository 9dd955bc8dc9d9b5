-- « Mes salariés affiliés »: a perimeter's insured persons by name or by effect date, however many others there are.

-- What a list walks, company by company; names byte by byte: they are searched without accents anyway.
CREATE INDEX employee_by_name ON employee (company_id, search_name COLLATE "C", id);
CREATE INDEX coverage_by_date ON coverage (company_id, starts_on, id);
DROP INDEX coverage_company_id_idx; -- the one above serves it

-- The context is read once for a statement, not for each row: a perimeter of 300 companies is a long text.
ALTER POLICY tenant ON company USING (id = ANY ((SELECT app_companies())::uuid[]));
ALTER POLICY tenant ON establishment USING (company_id = ANY ((SELECT app_companies())::uuid[]))
    WITH CHECK (company_id = ANY ((SELECT app_companies())::uuid[]));
ALTER POLICY tenant ON employee USING (company_id = ANY ((SELECT app_companies())::uuid[]))
    WITH CHECK (company_id = ANY ((SELECT app_companies())::uuid[]));
ALTER POLICY tenant ON coverage
    USING (company_id = ANY ((SELECT app_companies())::uuid[]) OR affiliation_id = (SELECT app_affiliation()))
    WITH CHECK (company_id = ANY ((SELECT app_companies())::uuid[]) OR affiliation_id = (SELECT app_affiliation()));
ALTER POLICY tenant ON dependant
    USING (company_id = ANY ((SELECT app_companies())::uuid[]) OR affiliation_id = (SELECT app_affiliation()))
    WITH CHECK (company_id = ANY ((SELECT app_companies())::uuid[]) OR affiliation_id = (SELECT app_affiliation()));

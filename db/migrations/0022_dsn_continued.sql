-- Affiliations that are to go on beyond a contract that ended (S21.G00.62.016): the next month's declaration is expected to
-- say them again. Few, and asked for with every batch that is recorded.
CREATE INDEX dsn_change_continued ON dsn_change (company_id) WHERE kind = 'continued' AND state IN ('proposed', 'applied');

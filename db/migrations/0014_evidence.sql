-- Evidence packs: what was made for a company is read back from the audit log, where each one's hash stays.

CREATE INDEX audit_log_evidence ON audit_log (company_id, at DESC, id DESC) WHERE event = 'data.evidence_exported';

"""Files that people send: kept encrypted, looked at where they can do no harm, scanned, and named safely."""

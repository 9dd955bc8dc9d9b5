-- Run once by the postgres image, as superuser, on an empty data volume.
-- Three databases, three logins; the first two logins are those of local/database.py.

-- A statement with a password in it must not reach the log, not even when it fails.
SET log_min_error_statement = panic;
SET log_statement = none;

\getenv owner_password HCR_OWNER_PASSWORD
\getenv app_password HCR_APP_PASSWORD
\getenv temporal_password TEMPORAL_DB_PASSWORD

-- migrates; owns the application's database and every table
CREATE ROLE hcr_owner LOGIN NOSUPERUSER NOCREATEDB CREATEROLE NOBYPASSRLS PASSWORD :'owner_password';
-- worker and API; owns nothing and has no right but those of the roles it takes
CREATE ROLE hcr_app LOGIN NOSUPERUSER NOINHERIT NOCREATEDB NOCREATEROLE NOBYPASSRLS PASSWORD :'app_password';
-- the Temporal server and its schema tool
CREATE ROLE temporal LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS PASSWORD :'temporal_password';

CREATE DATABASE hcr OWNER hcr_owner;
CREATE DATABASE temporal OWNER temporal;
CREATE DATABASE temporal_visibility OWNER temporal;

-- Each login reaches its own database only.
REVOKE ALL ON DATABASE hcr, temporal, temporal_visibility FROM PUBLIC;
GRANT CONNECT ON DATABASE hcr TO hcr_app;

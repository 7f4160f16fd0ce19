-- Gives the exporter a role that sees statistics, sizes and settings, and no table of anybody. Safe to run again.
\set ON_ERROR_STOP on
\set password `cat "$MONITORING_PASSWORD_FILE"`
-- Not beside a provision.sql: what they change together would fail.
SELECT pg_advisory_lock(hashtext('provision')) \g /dev/null
-- A statement that fails is written to the server's log, password and all, unless this forbids it.
SET log_min_error_statement = panic;
SET client_min_messages = warning;

SELECT 'CREATE ROLE monitoring' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'monitoring') \gexec
ALTER ROLE monitoring WITH LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION CONNECTION LIMIT 5 PASSWORD :'password';
GRANT pg_monitor TO monitoring;
-- Services' provision.sql takes this from everybody.
GRANT CONNECT ON DATABASE postgres TO monitoring;

-- Gives the other region a role to follow with, and to rewind by (https://www.postgresql.org/docs/15/app-pgrewind.html):
-- it reads the server's files. Run on the primary only; safe to run again.
\set ON_ERROR_STOP on
\set password `cat "$REPLICATION_PASSWORD_FILE"`
SELECT pg_advisory_lock(hashtext('provision')) \g /dev/null
-- A statement that fails is written to the server's log, password and all, unless this forbids it.
SET log_min_error_statement = panic;
SET client_min_messages = warning;

SELECT 'CREATE ROLE replication' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'replication') \gexec
ALTER ROLE replication WITH LOGIN REPLICATION NOSUPERUSER NOCREATEDB NOCREATEROLE CONNECTION LIMIT 8 PASSWORD :'password';
-- Services' provision.sql takes this from everybody.
GRANT CONNECT ON DATABASE postgres TO replication;
GRANT EXECUTE ON FUNCTION pg_catalog.pg_ls_dir(text, boolean, boolean) TO replication;
GRANT EXECUTE ON FUNCTION pg_catalog.pg_stat_file(text, boolean) TO replication;
GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_binary_file(text) TO replication;
GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_binary_file(text, bigint, bigint, boolean) TO replication;

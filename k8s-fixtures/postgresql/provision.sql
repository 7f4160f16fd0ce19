-- Gives a service a role and a database of one name, and nobody else a way in. Safe to run again: a role keeps what it
-- has and gets the password of today. Variable: identifier; the password comes from a file, so that no argument has it.
\set ON_ERROR_STOP on
\set password `cat "$DATABASE_PASSWORD_FILE"`
-- One service after the other: what they change together would fail.
SELECT pg_advisory_lock(hashtext('provision')) \g /dev/null
-- A statement that fails is written to the server's log, password and all, unless this forbids it.
SET log_min_error_statement = panic;

SELECT format('CREATE ROLE %I', :'identifier')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'identifier') \gexec
ALTER ROLE :"identifier" WITH LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION PASSWORD :'password';

SELECT format('CREATE DATABASE %I OWNER %I', :'identifier', :'identifier')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'identifier') \gexec

-- Everybody may connect to a new database until it is said otherwise; its owner still may. The same for the databases
-- that every server has, but for template0, which takes no connections.
REVOKE CONNECT, TEMPORARY ON DATABASE :"identifier", postgres, template1 FROM PUBLIC;

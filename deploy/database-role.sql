-- The role with which `envbot serve` and its jobs work, when another one owns the tables: it adds to
-- the audit and can neither change nor delete what is in it, nor take away what refuses that.
--
--   createuser --pwprompt envbot_bot
--   psql -v bot=envbot_bot -f database-role.sql postgresql://envbot_owner@db.internal/envbot
--
-- Run it as the owner, after `envbot migrate`, and again after each later one.
\set ON_ERROR_STOP on
BEGIN;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO :"bot";
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO :"bot";
REVOKE INSERT, UPDATE, DELETE, TRUNCATE
    ON audit, audit_chain, audit_unsealed, audit_heads, schema_migrations FROM :"bot";
-- A row's number and time are the database's.
GRANT INSERT (environment, team, name, actor, actor_name, event, from_state, to_state, rule,
              rules_version, envelope, channel, message, detail) ON audit TO :"bot";
GRANT INSERT ON audit_chain TO :"bot";
GRANT INSERT, DELETE ON audit_unsealed TO :"bot";
GRANT INSERT (number, hash) ON audit_heads TO :"bot";
COMMIT;

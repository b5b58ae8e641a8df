-- Where it was asked, of which environment by name, and under which version of the rules.
ALTER TABLE audit
    ADD COLUMN name          text,  -- the environment's
    ADD COLUMN rules_version text,
    ADD COLUMN channel       text,
    ADD COLUMN message       text;  -- the ts of the message that was clicked
-- What the rules were when somebody last looked, among millions of other rows.
CREATE INDEX audit_of_rules ON audit (id) WHERE event = 'rules';

-- The audit's rows in the sealer's order: each hash is over the one before and the row
-- (store/audit_chain.h). No foreign key: it would lock and write each row of the audit again, and
-- who deletes one is found by the chain.
CREATE TABLE audit_chain (
    number    bigint PRIMARY KEY,
    audit     bigint NOT NULL UNIQUE,
    sealed_at timestamptz NOT NULL DEFAULT now(),
    hash      bytea NOT NULL CHECK (length(hash) = 32)
);

-- What is committed and not sealed yet. Rows commit out of the order of their ids, so no mark of how
-- far the sealer got would do.
CREATE TABLE audit_unsealed (
    audit bigint PRIMARY KEY
);
INSERT INTO audit_unsealed SELECT id FROM audit;
CREATE FUNCTION audit_to_seal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit_unsealed VALUES (NEW.id);
    RETURN NULL;
END $$;
CREATE TRIGGER audit_to_seal AFTER INSERT ON audit
    FOR EACH ROW EXECUTE FUNCTION audit_to_seal();

-- Which heads of the chain were told to the operators, so that each day and each end of it is told
-- once. The first day's is told when the second begins.
CREATE TABLE audit_heads (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    told_at timestamptz NOT NULL DEFAULT now(),
    number  bigint NOT NULL,
    hash    bytea
);
INSERT INTO audit_heads (number) VALUES (0);

-- Nobody changes or deletes what was written down; ALWAYS: a replica's session neither. Who takes
-- these triggers away is found by the chain.
CREATE FUNCTION audit_refuses() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what is in % is never changed and never deleted', TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_refuses BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuses();
CREATE TRIGGER audit_refuses BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_chain
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuses();
ALTER TABLE audit ENABLE ALWAYS TRIGGER audit_refuses;
ALTER TABLE audit_chain ENABLE ALWAYS TRIGGER audit_refuses;

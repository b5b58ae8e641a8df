-- The audit's rows in the sealer's order: each hash is over the one before and the row.
CREATE TABLE audit_chain (
    number    bigint PRIMARY KEY,
    audit     bigint NOT NULL UNIQUE REFERENCES audit (id),
    hash      bytea NOT NULL,
    sealed_at timestamptz NOT NULL DEFAULT now()
);

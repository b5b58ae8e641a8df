-- One-time codes of approvers (RFC 6238). The secret is encrypted with the configuration's key.
CREATE TABLE enrolments (
    workspace    text NOT NULL,
    user_id      text NOT NULL,
    secret       bytea NOT NULL,
    enrolled_at  timestamptz NOT NULL DEFAULT now(),
    last_step    bigint NOT NULL DEFAULT 0,  -- each step's code is taken once
    failures     integer NOT NULL DEFAULT 0, -- since the last right one
    locked_until timestamptz,
    PRIMARY KEY (workspace, user_id)
);

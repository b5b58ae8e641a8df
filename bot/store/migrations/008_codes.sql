-- One-time codes of approvers (RFC 6238). The secret is sealed with the configuration's key: a nonce,
-- the encrypted 20 bytes, the tag; it belongs to this workspace and user and opens for no other.
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

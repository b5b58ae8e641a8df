-- A vote is bound to what its card showed: a digest of the request (approvals/matter.h). NULL: of a
-- version of the program from before.
ALTER TABLE environments ADD COLUMN presented text;
ALTER TABLE decisions
    ADD COLUMN digest        text,
    ADD COLUMN rules_version text; -- of the access rules that allowed it

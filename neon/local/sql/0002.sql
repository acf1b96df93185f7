-- What nobody can connect to does not change, so a branch without an endpoint and its snapshots share their databases.
ALTER TABLE databases DROP CONSTRAINT databases_physical_name_key;
CREATE INDEX databases_by_physical_name ON databases (physical_name);

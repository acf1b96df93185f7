-- Copies of a snapshot's databases, ready for its next restore. A spare is nobody's data: it may go at any time.
CREATE TABLE spares (
    physical_name text PRIMARY KEY,
    database_id bigint NOT NULL UNIQUE REFERENCES databases, -- which cannot go before its spare
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- What a snapshot's database takes on the disk, which does not change; null until it has been measured.
ALTER TABLE databases ADD bytes bigint;

-- The snapshot that a branch was last made from or kept as, and the one before a snapshot.
ALTER TABLE branches ADD based_on text;
ALTER TABLE snapshots ADD based_on text, ADD restored_at timestamptz;

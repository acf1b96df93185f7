-- What the plane remembers, in a database of its own on the cluster that it manages.

SELECT pg_advisory_xact_lock(hashtextextended('schema', 0)); -- two processes may come at once

CREATE TABLE IF NOT EXISTS projects (
    id text PRIMARY KEY,
    name text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE IF NOT EXISTS branches (
    id text PRIMARY KEY,
    project_id text NOT NULL REFERENCES projects ON DELETE CASCADE,
    name text NOT NULL,
    is_default boolean NOT NULL,
    restored_from text,     -- the snapshot that it was made from
    restored_as text,       -- the branch whose place it takes
    finalize_at timestamptz, -- when it takes that place; null once it has
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (project_id, name)
);
CREATE UNIQUE INDEX IF NOT EXISTS one_default_branch ON branches (project_id) WHERE is_default;

CREATE TABLE IF NOT EXISTS endpoints (
    id text PRIMARY KEY,
    project_id text NOT NULL REFERENCES projects ON DELETE CASCADE,
    branch_id text NOT NULL REFERENCES branches ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX IF NOT EXISTS endpoints_of_branch ON endpoints (branch_id);

CREATE TABLE IF NOT EXISTS roles (
    project_id text NOT NULL REFERENCES projects ON DELETE CASCADE,
    name text NOT NULL,
    physical_name text NOT NULL UNIQUE,
    password text NOT NULL, -- encrypted
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (project_id, name)
);

CREATE TABLE IF NOT EXISTS snapshots (
    id text PRIMARY KEY,
    project_id text NOT NULL REFERENCES projects ON DELETE CASCADE,
    name text NOT NULL,
    source_branch_id text NOT NULL, -- may be gone by now
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX IF NOT EXISTS snapshots_of_project ON snapshots (project_id, created_at);

-- A branch is a set of databases, and so is a snapshot. Names in the cluster are random and tell nothing.
CREATE TABLE IF NOT EXISTS databases (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    branch_id text REFERENCES branches ON DELETE CASCADE,
    snapshot_id text REFERENCES snapshots ON DELETE CASCADE,
    name text NOT NULL,
    owner_name text NOT NULL,
    physical_name text NOT NULL UNIQUE,
    properties jsonb NOT NULL DEFAULT '{}', -- what a copy does not carry
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK ((branch_id IS NULL) <> (snapshot_id IS NULL))
);
CREATE INDEX IF NOT EXISTS databases_of_branch ON databases (branch_id);
CREATE INDEX IF NOT EXISTS databases_of_snapshot ON databases (snapshot_id);

-- Databases and roles in the cluster that belong to nothing above: being made, or waiting to be dropped. Whoever
-- makes one holds the advisory lock named after it, so that the sweep takes only what a killed process left.
CREATE TABLE IF NOT EXISTS leftovers (
    physical_name text PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('database', 'role')),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE IF NOT EXISTS operations (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    project_id text NOT NULL REFERENCES projects ON DELETE CASCADE,
    branch_id text,
    endpoint_id text,
    action text NOT NULL,
    position integer NOT NULL, -- among the operations of one call, which run one after the other
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finish_at timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS operations_of_project ON operations (project_id, created_at DESC);

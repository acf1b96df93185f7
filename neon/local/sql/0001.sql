-- What the plane remembers, in a database of its own on the cluster that it manages.

CREATE TABLE projects (
    id text PRIMARY KEY,
    name text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    deleted_at timestamptz -- it can still be recovered for a while
);

CREATE TABLE branches (
    id text PRIMARY KEY,
    project_id text NOT NULL REFERENCES projects ON DELETE CASCADE,
    name text NOT NULL,
    is_default boolean NOT NULL DEFAULT false,
    parent_id text REFERENCES branches, -- null for a root branch
    protected boolean NOT NULL DEFAULT false,
    expires_at timestamptz,
    restored_from text,     -- the snapshot that it was made from
    restored_as text,       -- the branch whose place it takes, or whose content it brings
    finalize_at timestamptz, -- when it does that; null once it has, and before somebody asks for it
    fail_at timestamptz,    -- when what was to make it fails, and it goes; only if a fault was asked for
    finalize_as text CHECK (finalize_as IN ('replace', 'reset')), -- reset: the target keeps its id
    finalized boolean NOT NULL DEFAULT false,
    kept_name text,         -- what the replaced branch, or the content that was replaced, is to be called
    last_reset_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (project_id, name)
);
CREATE INDEX children_of_branch ON branches (parent_id);
CREATE UNIQUE INDEX one_default_branch ON branches (project_id) WHERE is_default;

CREATE TABLE endpoints (
    id text PRIMARY KEY,
    project_id text NOT NULL REFERENCES projects ON DELETE CASCADE,
    branch_id text NOT NULL UNIQUE REFERENCES branches ON DELETE CASCADE,
    name text NOT NULL DEFAULT '',
    suspended_at timestamptz, -- it wakes with the next connection
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- The loopback port at which an endpoint is reached when the plane is served over HTTP.
CREATE TABLE ports (
    endpoint_id text PRIMARY KEY REFERENCES endpoints ON DELETE CASCADE,
    port integer NOT NULL UNIQUE
);

-- A role belongs to the cluster, so one name is one role, with one password, in all of a project's branches.
CREATE TABLE roles (
    project_id text NOT NULL REFERENCES projects ON DELETE CASCADE,
    name text NOT NULL,
    physical_name text NOT NULL UNIQUE,
    password text NOT NULL, -- encrypted
    login boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (project_id, name)
);

CREATE TABLE snapshots (
    id text PRIMARY KEY,
    project_id text NOT NULL REFERENCES projects ON DELETE CASCADE,
    name text NOT NULL,
    slug text,
    fail_at timestamptz, -- as of a branch
    source_branch_id text NOT NULL, -- may be gone by now
    expires_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX snapshots_of_project ON snapshots (project_id, created_at);

-- A branch is a set of databases, and so is a snapshot. Names in the cluster are random and tell nothing.
CREATE TABLE databases (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    branch_id text REFERENCES branches ON DELETE CASCADE,
    snapshot_id text REFERENCES snapshots ON DELETE CASCADE,
    name text NOT NULL,
    owner_name text NOT NULL,
    physical_name text NOT NULL UNIQUE,
    properties jsonb NOT NULL DEFAULT '{}', -- what a copy does not carry
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK ((branch_id IS NULL) <> (snapshot_id IS NULL)),
    UNIQUE (branch_id, name) DEFERRABLE INITIALLY DEFERRED, -- a reset lets two branches exchange theirs
    UNIQUE (snapshot_id, name)
);

-- The roles that a branch or a snapshot has.
CREATE TABLE memberships (
    physical_name text NOT NULL REFERENCES roles (physical_name) ON DELETE CASCADE,
    branch_id text REFERENCES branches ON DELETE CASCADE,
    snapshot_id text REFERENCES snapshots ON DELETE CASCADE,
    CHECK ((branch_id IS NULL) <> (snapshot_id IS NULL)),
    UNIQUE (branch_id, physical_name) DEFERRABLE INITIALLY DEFERRED,
    UNIQUE (snapshot_id, physical_name)
);

-- Databases and roles in the cluster that belong to nothing above: being made, or waiting to be dropped. Whoever
-- makes one holds the advisory lock named after it, so that the sweep takes only what a killed process left.
CREATE TABLE leftovers (
    physical_name text PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('database', 'role')),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE operations (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    project_id text NOT NULL REFERENCES projects ON DELETE CASCADE,
    branch_id text,
    endpoint_id text,
    action text NOT NULL,
    position integer NOT NULL, -- among the operations of one call, which run one after the other
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finish_at timestamptz NOT NULL,
    outcome text NOT NULL DEFAULT 'finished', -- what it ends as; anything else is a fault that was asked for
    retry_at timestamptz,
    error text
);
CREATE INDEX operations_of_project ON operations (project_id, created_at DESC);

-- Users by number, each with a project: the first three have a thousand checkpoints, every other thirty.
-- Ids are hashes of what they belong to, so that rows find each other, and lie as scattered as random ones.

CREATE TEMPORARY TABLE shape AS
SELECT p, 1000 + p AS owner, md5('p' || p)::uuid AS project,
    CASE WHEN p <= 3 THEN 1000 ELSE 30 END AS checkpoints, CASE WHEN p = 1 THEN 2000 ELSE 60 END AS runs,
    now() - interval '30 days' + p * interval '4 minutes' AS began
FROM generate_series(%(first)s, %(last)s) AS p;

INSERT INTO auth_user (
    id, password, is_superuser, username, first_name, last_name, email, is_staff, is_active, date_joined
)
SELECT owner, '', false, 'user-' || p || '@example.com', '', '', 'user-' || p || '@example.com', false, true, began
FROM shape;

INSERT INTO account_emailaddress (user_id, email, verified, "primary")
SELECT owner, 'user-' || p || '@example.com', true, true FROM shape;

INSERT INTO checkpoints_project (id, owner_id, name, neon_project_id, database_url, head_id, created_at, updated_at)
SELECT project, owner, 'checkpoints-' || owner || '-01234567', 'calm-sea-' || p, %(url)s,
    md5(p || 'c' || checkpoints)::uuid, began, began
FROM shape;

-- Of the large ones the first is a line with forks, the second has all its checkpoints made from the first one, and in
-- the third each second one forks off a fork.
INSERT INTO checkpoints_checkpoint (
    id, project_id, parent_id, prompt, label, pinned, version, snapshot_id, kind, fingerprint, created_at
)
SELECT md5(p || 'c' || n)::uuid, project,
    CASE WHEN n > 1 THEN md5(p || 'c' || CASE
        WHEN p = 2 THEN 1
        WHEN p = 3 THEN n - 1 - n %% 2
        WHEN n %% 5 = 0 THEN greatest(n - 3, 1)
        WHEN n %% 5 = 1 THEN n - 2
        ELSE n - 1
    END)::uuid END,
    'Prompt ' || n, '', n %% 50 = 0, 'v' || (1 + n %% 3), 'snap-' || p || '-' || n,
    CASE WHEN p > 3 AND n %% 5 = 0 THEN 'safety' ELSE 'prompt' END,
    '{"schema": "0123456789abcdef", "horizon": 1234, "tables": {"public.contacts": 3}, "sequences": {}}',
    began + n * interval '1 minute'
FROM shape, generate_series(1, checkpoints) AS n;

INSERT INTO checkpoints_run (
    id, owner_id, project_id, kind, status, steps, state, target_id, result_id, origin_id, error, detail,
    created_at, started_at, finished_at
)
SELECT gen_random_uuid(), owner, project,
    CASE WHEN n = 1 THEN 'start' WHEN n %% 3 = 0 THEN 'advance' ELSE 'restore' END,
    CASE WHEN n %% 50 = 0 THEN 'failed' ELSE 'succeeded' END,
    '[{"name": "restore", "label": "Restore the snapshot", "state": "done", "started": null, "finished": null}]',
    '{"branch_id": "br-calm-sea-12345678", "differs": false}',
    md5(p || 'c' || (1 + (runs - n) %% checkpoints))::uuid,
    CASE WHEN n %% 50 > 0 THEN md5(p || 'c' || (checkpoints - (runs - n) %% checkpoints))::uuid END,
    CASE WHEN n > 1 THEN md5(p || 'c1')::uuid END, '', '', moment, moment, moment
FROM shape, generate_series(1, runs) AS n, LATERAL (SELECT began + n * interval '30 seconds' AS moment) AS moments;

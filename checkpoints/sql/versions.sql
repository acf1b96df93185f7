-- The versions of all rows that a checkpoint's page is made from for its owner in a session: who writes a row signs it
-- (xmin) and moves it (ctid). The runs are those of runs.sql.
WITH project AS (
    SELECT id, owner_id, (xmin, ctid)::text AS version FROM checkpoints_project
    WHERE id = (SELECT project_id FROM checkpoints_checkpoint WHERE id = %(checkpoint)s)
)
SELECT
    (
        SELECT (xmin, ctid)::text FROM django_session
        WHERE session_key = %(session)s AND expire_date > %(now)s
    ),
    (SELECT (xmin, ctid)::text FROM auth_user WHERE id = owner_id),
    version,
    (SELECT array_agg((xmin, ctid)::text) FROM checkpoints_checkpoint WHERE project_id = project.id),
    (SELECT (xmin, ctid)::text FROM checkpoints_run WHERE owner_id = project.owner_id AND status IN ('queued', 'running')),
    (
        SELECT (xmin, ctid)::text FROM checkpoints_run
        WHERE project_id = project.id AND result_id IS NOT NULL AND kind <> 'delete'
        ORDER BY created_at DESC LIMIT 1
    )
FROM project

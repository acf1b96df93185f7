-- A project's newest checkpoints before some moment, and some others of them; all but what they held.
WITH here AS NOT MATERIALIZED ( -- which would read all of them
    SELECT id, project_id, parent_id, prompt, label, pinned, version, snapshot_id, kind, created_at
    FROM checkpoints_checkpoint WHERE project_id = %(project)s
)
(SELECT * FROM here WHERE created_at < %(before)s ORDER BY created_at DESC, id DESC LIMIT %(limit)s)
UNION SELECT * FROM here WHERE id = ANY(%(also)s)
ORDER BY created_at DESC, id DESC

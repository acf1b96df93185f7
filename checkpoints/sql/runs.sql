-- The owner's run that is unfinished, and the last one that led a project somewhere: what every page has to know.
SELECT * FROM checkpoints_run WHERE owner_id = %(owner)s AND status IN ('queued', 'running')
UNION ALL (
    SELECT * FROM checkpoints_run WHERE project_id = %(project)s AND result_id IS NOT NULL AND kind <> 'delete'
    ORDER BY created_at DESC LIMIT 1
)

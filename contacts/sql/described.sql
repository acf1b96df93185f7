-- How many rows Postgres describes a schema with, and how many of them were written since the horizon: all tables that
-- catalog.sql reads or whose names it prints. As in users' tables a copy of the database keeps them as they are.
SELECT
    count(*),
    count(*) FILTER (WHERE age(written_by) BETWEEN 1 AND age(%(horizon)s::xid))
FROM (
    SELECT xmin FROM pg_am
    UNION ALL SELECT xmin FROM pg_attrdef
    UNION ALL SELECT xmin FROM pg_attribute
    UNION ALL SELECT xmin FROM pg_class
    UNION ALL SELECT xmin FROM pg_collation
    UNION ALL SELECT xmin FROM pg_constraint
    UNION ALL SELECT xmin FROM pg_depend
    UNION ALL SELECT xmin FROM pg_enum
    UNION ALL SELECT xmin FROM pg_extension
    UNION ALL SELECT xmin FROM pg_index
    UNION ALL SELECT xmin FROM pg_inherits
    UNION ALL SELECT xmin FROM pg_language
    UNION ALL SELECT xmin FROM pg_namespace
    UNION ALL SELECT xmin FROM pg_opclass
    UNION ALL SELECT xmin FROM pg_operator
    UNION ALL SELECT xmin FROM pg_partitioned_table
    UNION ALL SELECT xmin FROM pg_policy
    UNION ALL SELECT xmin FROM pg_proc
    UNION ALL SELECT xmin FROM pg_rewrite
    UNION ALL SELECT xmin FROM pg_sequence
    UNION ALL SELECT xmin FROM pg_trigger
    UNION ALL SELECT xmin FROM pg_ts_config
    UNION ALL SELECT xmin FROM pg_type
) AS described (written_by)

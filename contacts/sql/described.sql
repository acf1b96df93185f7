-- How many rows describe a schema, and which transactions wrote them, in short: in all tables that catalog.sql reads or
-- of which it prints names, but for roles; of large ones without what Postgres brings (see there). A copy of the
-- database keeps the transactions' ids; along another history they are others.
SELECT count(*) || ' ' || sum(hashtextextended(written_by::text, 0)) AS description
FROM (
    SELECT xmin FROM pg_am
    UNION ALL SELECT xmin FROM pg_attrdef
    UNION ALL SELECT xmin FROM pg_attribute WHERE attrelid >= 16384
    UNION ALL SELECT xmin FROM pg_class WHERE oid >= 16384
    UNION ALL SELECT xmin FROM pg_collation WHERE oid >= 16384
    UNION ALL SELECT xmin FROM pg_constraint
    UNION ALL SELECT xmin FROM pg_depend WHERE objid >= 16384
    UNION ALL SELECT xmin FROM pg_enum
    UNION ALL SELECT xmin FROM pg_extension
    UNION ALL SELECT xmin FROM pg_index
    UNION ALL SELECT xmin FROM pg_inherits
    UNION ALL SELECT xmin FROM pg_language
    UNION ALL SELECT xmin FROM pg_namespace
    UNION ALL SELECT xmin FROM pg_opclass
    UNION ALL SELECT xmin FROM pg_operator WHERE oid >= 16384
    UNION ALL SELECT xmin FROM pg_partitioned_table
    UNION ALL SELECT xmin FROM pg_policy
    UNION ALL SELECT xmin FROM pg_proc WHERE oid >= 16384
    UNION ALL SELECT xmin FROM pg_rewrite
    UNION ALL SELECT xmin FROM pg_sequence
    UNION ALL SELECT xmin FROM pg_trigger
    UNION ALL SELECT xmin FROM pg_ts_config
    UNION ALL SELECT xmin FROM pg_ts_dict
    UNION ALL SELECT xmin FROM pg_type WHERE oid >= 16384
) AS described (written_by)

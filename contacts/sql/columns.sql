-- The columns of all tables that users made, in the order of information_schema.columns.
SELECT
    CASE
        WHEN c.table_schema = 'public' THEN c.table_name
        ELSE concat(c.table_schema, '.', c.table_name)
    END AS "table",
    c.column_name AS name,
    CASE
        WHEN c.data_type IN ('ARRAY', 'USER-DEFINED')
            THEN format('%I.%I', c.udt_schema, c.udt_name)::regtype::text
        ELSE c.data_type
    END AS data_type,
    c.is_nullable = 'YES' AS nullable,
    coalesce(c.column_default, '') AS "default"
FROM information_schema.columns AS c
INNER JOIN information_schema.tables AS t USING (table_catalog, table_schema, table_name)
WHERE
    t.table_type = 'BASE TABLE'
    AND c.table_schema <> 'information_schema'
    AND c.table_schema NOT LIKE 'pg\_%'
ORDER BY c.table_schema <> 'public', c.table_schema, c.table_name, c.ordinal_position

-- Where the rows and the numbers of users are: tables by storage with their columns, and sequences with the value that
-- they gave out last.
SELECT
    n.nspname AS schema,
    c.relname AS relation,
    format('%I.%I', n.nspname, c.relname) AS name,
    c.relkind = 'S' AS is_sequence,
    CASE WHEN c.relkind = 'S' THEN pg_sequence_last_value(c.oid) END AS last_value,
    ARRAY(
        SELECT a.attname::text
        FROM pg_attribute AS a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        ORDER BY a.attnum
    ) AS columns
FROM pg_class AS c
INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE
    c.relkind IN ('r', 'm', 'S')
    AND c.relispopulated
    AND n.nspname NOT LIKE 'pg\_%'
    AND n.nspname <> 'information_schema'
    AND NOT EXISTS (
        SELECT FROM pg_depend AS d
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
    )
ORDER BY n.nspname, c.relname

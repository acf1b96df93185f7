-- A hash of the schemas that users made: what \d would show of them, without oids, owners, rights or extensions' own.
-- The search path must be empty, so that every name comes out qualified. Ids from 16384 on are given to what is made in
-- a database (FirstNormalObjectId); by them an index leads past all that Postgres brings.
WITH
own AS (
    SELECT oid, nspname
    FROM pg_namespace
    WHERE nspname NOT LIKE 'pg\_%' AND nspname <> 'information_schema'
),
extension AS (
    SELECT classid, objid FROM pg_depend WHERE deptype = 'e' AND objid >= 16384
),
relation AS (
    SELECT
        c.oid,
        c.relkind,
        c.relpersistence,
        c.relrowsecurity,
        c.relforcerowsecurity,
        c.relpartbound,
        format('%I.%I', own.nspname, c.relname) AS name
    FROM pg_class AS c
    INNER JOIN own ON own.oid = c.relnamespace
    WHERE c.oid >= 16384 AND NOT EXISTS (SELECT FROM extension WHERE classid = 'pg_class'::regclass AND objid = c.oid)
),
type AS (
    SELECT
        t.oid,
        t.typtype,
        t.typbasetype,
        t.typtypmod,
        t.typnotnull,
        t.typdefault,
        format('%I.%I', own.nspname, t.typname) AS name
    FROM pg_type AS t
    INNER JOIN own ON own.oid = t.typnamespace
    WHERE t.oid >= 16384 AND NOT EXISTS (SELECT FROM extension WHERE classid = 'pg_type'::regclass AND objid = t.oid)
),
item (kind, name, definition) AS (
    SELECT 'schema', nspname, NULL::text
    FROM own
    WHERE NOT EXISTS (SELECT FROM extension WHERE classid = 'pg_namespace'::regclass AND objid = own.oid)
    UNION ALL
    SELECT 'extension', extname, NULL FROM pg_extension
    UNION ALL
    SELECT
        'relation',
        name,
        concat_ws(
            ' ',
            relkind,
            relpersistence,
            relrowsecurity,
            relforcerowsecurity,
            pg_get_partkeydef(oid),
            pg_get_expr(relpartbound, oid)
        )
    FROM relation
    WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'c')
    UNION ALL
    SELECT 'parent', relation.name, concat_ws(' ', i.inhseqno, i.inhparent::regclass)
    FROM pg_inherits AS i
    INNER JOIN relation ON relation.oid = i.inhrelid
    WHERE relation.relkind <> 'i'
    UNION ALL
    -- Columns that were dropped leave gaps in attnum, and must not tell otherwise equal tables apart.
    SELECT
        'column',
        format('%s.%I', relation.name, a.attname),
        concat_ws(
            ' ',
            row_number() OVER (PARTITION BY relation.oid ORDER BY a.attnum),
            format_type(a.atttypid, a.atttypmod),
            a.attnotnull,
            nullif(a.attidentity, ''),
            nullif(a.attgenerated, ''),
            nullif(a.attcollation, (SELECT t.typcollation FROM pg_type AS t WHERE t.oid = a.atttypid))::regcollation,
            pg_get_expr(d.adbin, d.adrelid)
        )
    FROM relation
    INNER JOIN
        pg_attribute AS a
        ON a.attrelid = relation.oid AND a.attrelid >= 16384 AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE relation.relkind IN ('r', 'p', 'v', 'm', 'f', 'c')
    UNION ALL
    SELECT
        'constraint',
        format('%s.%I', coalesce(relation.name, type.name), c.conname),
        pg_get_constraintdef(c.oid)
    FROM pg_constraint AS c
    LEFT JOIN relation ON relation.oid = c.conrelid
    LEFT JOIN type ON type.oid = c.contypid
    WHERE relation.oid IS NOT NULL OR type.oid IS NOT NULL
    UNION ALL
    SELECT 'index', relation.name, pg_get_indexdef(i.indexrelid)
    FROM pg_index AS i
    INNER JOIN relation ON relation.oid = i.indexrelid
    UNION ALL
    SELECT 'view', name, pg_get_viewdef(oid) FROM relation WHERE relkind IN ('v', 'm')
    UNION ALL
    SELECT 'rule', relation.name, pg_get_ruledef(r.oid)
    FROM pg_rewrite AS r
    INNER JOIN relation ON relation.oid = r.ev_class
    WHERE r.rulename <> '_RETURN'
    UNION ALL
    SELECT
        'policy',
        format('%s.%I', relation.name, p.polname),
        concat_ws(' ', p.polcmd, p.polpermissive, pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
    FROM pg_policy AS p
    INNER JOIN relation ON relation.oid = p.polrelid
    UNION ALL
    SELECT 'trigger', relation.name, concat_ws(' ', t.tgenabled, pg_get_triggerdef(t.oid))
    FROM pg_trigger AS t
    INNER JOIN relation ON relation.oid = t.tgrelid
    WHERE NOT t.tgisinternal
    UNION ALL
    -- Aggregates have no definition that Postgres would print.
    SELECT
        'function',
        p.oid::regprocedure::text,
        CASE WHEN p.prokind = 'a' THEN p.prorettype::regtype::text ELSE pg_get_functiondef(p.oid) END
    FROM pg_proc AS p
    INNER JOIN own ON own.oid = p.pronamespace
    WHERE p.oid >= 16384 AND NOT EXISTS (SELECT FROM extension WHERE classid = 'pg_proc'::regclass AND objid = p.oid)
    UNION ALL
    SELECT
        'enum',
        type.name,
        (
            SELECT jsonb_agg(e.enumlabel ORDER BY e.enumsortorder)::text
            FROM pg_enum AS e
            WHERE e.enumtypid = type.oid
        )
    FROM type
    WHERE typtype = 'e'
    UNION ALL
    SELECT 'domain', name, concat_ws(' ', format_type(typbasetype, typtypmod), typnotnull, typdefault)
    FROM type
    WHERE typtype = 'd'
    UNION ALL
    SELECT
        'sequence',
        relation.name,
        concat_ws(' ', format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle)
    FROM pg_sequence AS s
    INNER JOIN relation ON relation.oid = s.seqrelid
)
SELECT encode(sha256(convert_to(coalesce(string_agg(line, E'\n' ORDER BY line COLLATE "C"), ''), 'UTF8')), 'hex') AS hash
FROM (SELECT jsonb_build_array(kind, name, definition)::text AS line FROM item) AS lines

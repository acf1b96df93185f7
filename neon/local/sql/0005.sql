-- Ends whoever may have changed the row of a database or of a role, in a transaction that is left open.
CREATE FUNCTION end_writers(target name) RETURNS void LANGUAGE sql AS $$
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE backend_xid IS NOT NULL AND usename <> current_user AND usesysid IN (
        SELECT oid FROM pg_roles WHERE rolname = target
        UNION ALL SELECT datdba FROM pg_database WHERE datname = target
        UNION ALL SELECT a.grantee FROM pg_database d, aclexplode(d.datacl) a WHERE d.datname = target
    )
$$;

-- Changes a database or a role; a project's transaction that holds its row, and is left open, is ended.
CREATE FUNCTION change(target name, statement text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
EXCEPTION WHEN lock_not_available THEN
    PERFORM pg_stat_clear_snapshot(); -- else of an earlier change in the same transaction
    PERFORM end_writers(target);
    EXECUTE statement;
END
$$;

-- Ends the sessions of databases and waits until they are gone.
CREATE PROCEDURE end_sessions(databases name[], patience interval) LANGUAGE plpgsql AS $$
DECLARE
    wanted CONSTANT oid[] := ARRAY(SELECT oid FROM pg_database WHERE datname = ANY (databases));
    until CONSTANT timestamptz := clock_timestamp() + patience;
BEGIN
    LOOP
        PERFORM pg_stat_clear_snapshot();
        -- A session that is just starting holds a lock on its database before it shows up among the activity: look
        -- there first.
        PERFORM pg_terminate_backend(pid) FROM (
            SELECT pid FROM pg_locks
            WHERE locktype = 'object' AND classid = 'pg_database'::regclass AND objid = ANY (wanted)
              AND pid <> pg_backend_pid()
            UNION ALL
            SELECT pid FROM pg_stat_get_activity(NULL) WHERE datid = ANY (wanted)
        ) AS sessions;
        EXIT WHEN NOT FOUND;
        IF clock_timestamp() > until THEN
            RAISE lock_not_available USING MESSAGE = 'a session does not end'; -- the plane is locked, then: 423
        END IF;
        PERFORM pg_sleep(0.001); -- which is as short as it gets
    END LOOP;
END
$$;

-- Closes databases to everybody; not within a transaction.
CREATE PROCEDURE close_databases(databases name[], patience interval) LANGUAGE plpgsql AS $$
DECLARE
    database name;
BEGIN
    FOREACH database IN ARRAY databases LOOP
        PERFORM set_config('synchronous_commit', 'off', true); -- need not survive the server: no session does
        PERFORM change(database, format('ALTER DATABASE %I ALLOW_CONNECTIONS false', database));
        COMMIT; -- before the sessions are ended, or a quick reconnect slips in between
    END LOOP;
    CALL end_sessions(databases, patience);
END
$$;

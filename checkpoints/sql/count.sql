-- Counts one more under each key, in a minute that begins with its first. In the order of the keys, so that two that
-- come at once cannot wait for each other. The value is a number, not a pickle: nobody gets it through Django's cache.
INSERT INTO cache (cache_key, value, expires)
SELECT key, '1', %(until)s FROM unnest(%(keys)s::text[]) AS key ORDER BY key
ON CONFLICT (cache_key) DO UPDATE SET
    value = CASE WHEN cache.expires > %(now)s THEN cache.value::int + 1 ELSE 1 END::text,
    expires = CASE WHEN cache.expires > %(now)s THEN cache.expires ELSE excluded.expires END
RETURNING cache_key, value::int

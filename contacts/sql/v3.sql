-- Tags.
ALTER TABLE public.contacts ADD COLUMN IF NOT EXISTS tags text[] NOT NULL DEFAULT '{}';

-- The words of all fields, for paging.py. The list of what is pending is short, as every search goes through all of it.
-- The index of the version before stays: a step is undone by dropping what it added.
CREATE INDEX IF NOT EXISTS contacts_words_v3 ON public.contacts USING gin (
    array_to_tsvector(array_remove(regexp_split_to_array(lower(
        left(name || ' ' || email || ' ' || role || ' ' || company, 500)
        || ' ' || array_to_tsvector(array_remove(array_remove(tags, NULL), ''))::text
    ), '[\s!-/:-@[-`{-~]+'), ''))
) WITH (gin_pending_list_limit = 256);

-- Only what is still empty, so that a second run does not overwrite an edit.
UPDATE public.contacts AS contact
SET tags = person.tags
FROM (
    VALUES
        ('ada@example.com', ARRAY['mathematics', 'pioneer']),
        ('alan@example.com', ARRAY['computability', 'cryptanalysis']),
        ('grace@example.com', ARRAY['compilers', 'COBOL', 'pioneer'])
) AS person (email, tags)
WHERE contact.email = person.email AND contact.tags = '{}';

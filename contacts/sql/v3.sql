-- Tags.
ALTER TABLE public.contacts ADD COLUMN IF NOT EXISTS tags text[] NOT NULL DEFAULT '{}';

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

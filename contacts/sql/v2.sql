-- Role and company.
ALTER TABLE public.contacts
    ADD COLUMN IF NOT EXISTS role text NOT NULL DEFAULT '',
    ADD COLUMN IF NOT EXISTS company text NOT NULL DEFAULT '';

-- The words of all fields, for paging.py. The list of what is pending is short, as every search goes through all of it.
-- The index of the version before stays: a step is undone by dropping what it added.
CREATE INDEX IF NOT EXISTS contacts_words_v2 ON public.contacts USING gin (
    array_to_tsvector(array_remove(regexp_split_to_array(lower(
        left(name || ' ' || email || ' ' || role || ' ' || company, 500)
    ), '[\s!-/:-@[-`{-~]+'), ''))
) WITH (gin_pending_list_limit = 256);

-- Only what is still empty, so that a second run does not overwrite an edit.
UPDATE public.contacts AS contact
SET
    role = coalesce(nullif(contact.role, ''), person.role),
    company = coalesce(nullif(contact.company, ''), person.company)
FROM (
    VALUES
        ('ada@example.com', 'Mathematician', 'Analytical Engine'),
        ('alan@example.com', 'Cryptanalyst', 'Bletchley Park'),
        ('grace@example.com', 'Rear admiral', 'US Navy')
) AS person (email, role, company)
WHERE contact.email = person.email AND (contact.role = '' OR contact.company = '');

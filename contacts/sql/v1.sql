-- A contact list with name and email.
CREATE TABLE IF NOT EXISTS public.contacts (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL,
    email text NOT NULL UNIQUE
);

-- The order of the list.
CREATE INDEX IF NOT EXISTS contacts_in_order ON public.contacts (lower(name), name, id);

-- The words of all fields, for paging.py. The list of what is pending is short, as every search goes through all of it.
CREATE INDEX IF NOT EXISTS contacts_words_v1 ON public.contacts USING gin (
    array_to_tsvector(array_remove(regexp_split_to_array(lower(
        left(name || ' ' || email, 500)
    ), '[\s!-/:-@[-`{-~]+'), ''))
) WITH (gin_pending_list_limit = 256);

-- Only into an empty list, so that a second run does not bring back somebody who was deleted.
INSERT INTO public.contacts (name, email)
SELECT person.name, person.email
FROM (
    VALUES
        ('Ada Lovelace', 'ada@example.com'),
        ('Alan Turing', 'alan@example.com'),
        ('Grace Hopper', 'grace@example.com')
) AS person (name, email)
WHERE NOT EXISTS (SELECT FROM public.contacts);

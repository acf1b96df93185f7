-- A contact list with name and email.
CREATE TABLE IF NOT EXISTS public.contacts (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL,
    email text NOT NULL UNIQUE
);

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

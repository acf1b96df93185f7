-- Role and company.
ALTER TABLE public.contacts
    ADD COLUMN IF NOT EXISTS role text NOT NULL DEFAULT '',
    ADD COLUMN IF NOT EXISTS company text NOT NULL DEFAULT '';

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

"""The contacts library: what can be done with an app database, given its URI.

versions.py     what the app is at v1, v2 and v3, and how it gets there
db.py           connections: time limits, the pool, reads that survive a restore
queries.py      get, add, change, remove a contact
paging.py       a page of the list, and what a search finds
schema.py       take a version's step, undo it, look at the columns
fingerprint.py  what a database holds, to compare it with its checkpoint
forms.py        the form for a contact; the only module that knows Django
types.py        contacts and columns
errors.py       what can go wrong
"""

-- The database in the cluster that new ones are copies of.
CREATE TABLE templates (physical_name text PRIMARY KEY);

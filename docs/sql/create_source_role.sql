-- The least that the extraction needs in the source. Run it as the owner of the tables, in the database totesys.
-- Then give the role a password (\password totesys_extract) and store it in the secret.
-- pg_control_system(), pg_control_checkpoint(), pg_walfile_name() and pg_locks answer every login: nothing is granted for them.
-- Where a service refuses the first three, as Aurora does, the extraction reads all the same.
-- A long reading has a second connection, which looks whether somebody waits. Where row-level security is on for one of the
-- tables, the login needs BYPASSRLS as well: a batch has all rows, or none.
CREATE ROLE totesys_extract LOGIN CONNECTION LIMIT 5;
ALTER ROLE totesys_extract SET default_transaction_read_only = on;
GRANT USAGE ON SCHEMA public TO totesys_extract;
GRANT SELECT ON address, counterparty, currency, department, design, staff, payment_type, sales_order, purchase_order,
    transaction, payment TO totesys_extract;

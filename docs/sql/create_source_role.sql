-- The least that the extraction needs in the source. Run it as the owner of the tables, in the database totesys.
-- Then give the role a password (\password totesys_extract) and store it in the secret.
-- pg_control_system(), pg_control_checkpoint() and pg_walfile_name() answer every login: nothing is granted for them.
CREATE ROLE totesys_extract LOGIN CONNECTION LIMIT 3;
ALTER ROLE totesys_extract SET default_transaction_read_only = on;
GRANT USAGE ON SCHEMA public TO totesys_extract;
GRANT SELECT ON address, counterparty, currency, department, design, staff, payment_type, sales_order, purchase_order,
    transaction, payment TO totesys_extract;

"""Rows of the benchmark's source, as DuckDB makes them, and the star tables that DuckDB makes of them."""

#: Rows in a part: about 64 MB of the widest table.
PART_ROWS = 600_000
#: Orders a day in the benchmark's history: every month of it has the same share, however many there are.
MONTHS = 36

STAMP = "strftime({0}, '%Y-%m-%d %H:%M:%S') || case when n % 1000 = 0 then '' else '.' || rtrim(printf('%03d', n % 1000), '0') end"
CREATED = f"make_timestamp(1667260800000000 + (n * {MONTHS} * 30 * 86400 // {{rows}}) * 1000000)"
#: Source table → its columns for row number n, as PostgreSQL's COPY writes them.
ROWS = {
    "sales_order": "n as sales_order_id, {stamp} as created_at, {stamp} as last_updated, n % 10 + 1 as design_id, n % 20 + 1 as staff_id, "
    "n % 20 + 1 as counterparty_id, 1000 + n % 99000 + {change} as units_sold, printf('%.2f', (2 + (n % 200) / 100.0)::double) as unit_price, "
    "n % 3 + 1 as currency_id, strftime({created} + interval 3 day, '%Y-%m-%d') as agreed_delivery_date, "
    "strftime({created} + interval 2 day, '%Y-%m-%d') as agreed_payment_date, n % 30 + 1 as agreed_delivery_location_id",
    "transaction": "n as transaction_id, 'SALE' as transaction_type, n as sales_order_id, null as purchase_order_id, "
    "{stamp} as created_at, {stamp} as last_updated",
    "payment": "n as payment_id, {stamp} as created_at, {stamp} as last_updated, n as transaction_id, n % 20 + 1 as counterparty_id, "
    "printf('%.2f', (1000 + n % 100000 + {change})::double) as payment_amount, n % 3 + 1 as currency_id, 1 as payment_type_id, "
    "case when n % 3 = 0 then 't' else 'f' end as paid, strftime({created} + interval 2 day, '%Y-%m-%d') as payment_date, "
    "12345678 as company_ac_number, 87654321 as counterparty_ac_number",
    "address": "n as address_id, 'Line ' || n as address_line_1, null as address_line_2, '' as district, 'Leeds' as city, '0' || n as "
    "postal_code, 'Mali' as country, '1' as phone, {stamp} as created_at, {stamp} as last_updated",
    "counterparty": "n as counterparty_id, 'O''Keefe, ' || n as counterparty_legal_name, n as legal_address_id, null as commercial_contact, "
    "null as delivery_contact, {stamp} as created_at, {stamp} as last_updated",
    "currency": "n as currency_id, ['GBP', 'USD', 'EUR'][n] as currency_code, {stamp} as created_at, {stamp} as last_updated",
    "department": "n as department_id, 'D' || n as department_name, 'Leeds' as location, null as manager, {stamp} as created_at, {stamp} as "
    "last_updated",
    "design": "n as design_id, {stamp} as created_at, 'Design' as design_name, '/x' as file_location, n || '.json' as file_name, {stamp} as "
    "last_updated",
    "staff": "n as staff_id, 'A' as first_name, 'B' as last_name, n % 8 + 1 as department_id, 'a@b' as email_address, {stamp} as created_at, "
    "{stamp} as last_updated",
    "payment_type": "n as payment_type_id, 'SALES_RECEIPT' as payment_type_name, {stamp} as created_at, {stamp} as last_updated",
}
SIZES = {
    "address": 30,
    "counterparty": 20,
    "currency": 3,
    "department": 8,
    "design": 10,
    "staff": 20,
    "payment_type": 1,
}
LARGE = ("sales_order", "transaction", "payment")

_MOMENTS = """created_at::date as created_date, strftime(created_at, '%H:%M:%S.%g') as created_time,
last_updated::date as last_updated_date, strftime(last_updated, '%H:%M:%S.%g') as last_updated_time"""
#: The same tables, lineage columns and monthly partitions included.
BASELINE = {
    "fact_sales_order": f"""select sales_order_id as sales_record_id, sales_order_id, {_MOMENTS}, staff_id as sales_staff_id,
counterparty_id, units_sold, unit_price::decimal(10,2) as unit_price, currency_id, design_id, agreed_payment_date::date as
agreed_payment_date, agreed_delivery_date::date as agreed_delivery_date, agreed_delivery_location_id from read_csv('{{sales_order}}',
header=true)""",
    "dim_transaction": """select transaction_id, transaction_type, sales_order_id::int as sales_order_id,
purchase_order_id::int as purchase_order_id from read_csv('{transaction}', header=true)""",
    "fact_payment": f"""select payment_id as payment_record_id, payment_id, {_MOMENTS}, transaction_id, counterparty_id,
payment_amount::decimal(10,2) as payment_amount, currency_id, payment_type_id, paid, payment_date::date as payment_date
from read_csv('{{payment}}', header=true)""",
}

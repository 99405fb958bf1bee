"""What views, marts and named queries must answer, said a second time: plain SQL over the source's own tables."""

_SALES = (
    "sales_order o join design g using (design_id) join staff e on e.staff_id = o.staff_id "
    "join department d using (department_id) join counterparty c on c.counterparty_id = o.counterparty_id "
    "join address a on a.address_id = c.legal_address_id join currency u on u.currency_id = o.currency_id"
)
_PURCHASES = (
    "purchase_order o join staff e on e.staff_id = o.staff_id join department d using (department_id) "
    "join counterparty c on c.counterparty_id = o.counterparty_id join address a on a.address_id = c.legal_address_id "
    "join currency u on u.currency_id = o.currency_id"
)
_PAYMENTS = (
    "payment p join transaction t using (transaction_id) join payment_type k using (payment_type_id) "
    "join counterparty c on c.counterparty_id = p.counterparty_id join address a on a.address_id = c.legal_address_id "
    "join currency u on u.currency_id = p.currency_id left join sales_order s on s.sales_order_id = t.sales_order_id "
    "left join purchase_order b on b.purchase_order_id = t.purchase_order_id left join design g on g.design_id = s.design_id "
    "left join staff e on e.staff_id = coalesce(s.staff_id, b.staff_id) left join department d on d.department_id = e.department_id"
)
_PARTY = "c.counterparty_id, c.counterparty_legal_name, a.country"
_TODAY = "(now() at time zone 'UTC')::date"
_AGE = f"({_TODAY} - p.payment_date::date)"
_RANGE = (
    f"case when {_AGE} <= 0 then 'not due' when {_AGE} <= 30 then '1 to 30' when {_AGE} <= 60 then '31 to 60' "
    f"when {_AGE} <= 90 then '61 to 90' when {_AGE} <= 365 then '91 to 365' else 'over 365' end"
)
_ORDERS = (
    "(select 'SALE' as kind, sales_order_id as id, created_at::date as day, counterparty_id, currency_id, "
    "units_sold * unit_price as price, sales_order_id, null::int as purchase_order_id from sales_order union all "
    "select 'PURCHASE', purchase_order_id, created_at::date, counterparty_id, currency_id, "
    "item_quantity * item_unit_price, null, purchase_order_id from purchase_order) o "
    "left join transaction t on t.sales_order_id = o.sales_order_id or t.purchase_order_id = o.purchase_order_id "
    "left join payment p using (transaction_id) left join payment_type k using (payment_type_id) "
    "join counterparty c on c.counterparty_id = o.counterparty_id join address a on a.address_id = c.legal_address_id "
    "join currency u on u.currency_id = o.currency_id left join currency v on v.currency_id = p.currency_id"
)

#: Mart → its rows.
MARTS = {
    "sales_by_day": f"select o.created_at::date, u.currency_code, g.design_id, g.design_name, o.staff_id, d.department_name, "
    f"{_PARTY}, count(*), sum(o.units_sold), sum(o.units_sold * o.unit_price) from {_SALES} group by 1, 2, 3, 4, 5, 6, 7, 8, 9",
    "purchases_by_day": f"select o.created_at::date, u.currency_code, o.item_code, o.staff_id, d.department_name, {_PARTY}, "
    f"count(*), sum(o.item_quantity), sum(o.item_quantity * o.item_unit_price) from {_PURCHASES} group by 1, 2, 3, 4, 5, 6, 7, 8",
    "payments_by_day": f"select p.payment_date::date, u.currency_code, k.payment_type_name::text, p.paid, g.design_name, "
    f"b.item_code, e.staff_id, d.department_name, {_PARTY}, count(*), sum(p.payment_amount) from {_PAYMENTS} "
    f"group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11",
    "payment_ageing": f"select {_PARTY}, u.currency_code, k.payment_type_name::text, {_RANGE}, min(p.payment_date::date), "
    f"count(*), sum(p.payment_amount) from {_PAYMENTS} where not p.paid group by 1, 2, 3, 4, 5, 6",
    "order_to_payment": f"select o.kind, o.id, o.day, {_PARTY}, u.currency_code, o.price, t.transaction_id, p.payment_id, "
    f"k.payment_type_name::text, p.payment_amount, v.currency_code, p.payment_date::date, p.paid, "
    f"p.payment_date::date - o.day from {_ORDERS}",
}

_RANKED_SALES = (
    "select u.currency_code, rank() over "
    "(partition by u.currency_code order by sum(o.units_sold * o.unit_price) desc) as place"
)
#: Named query, run with its example where it has parameters → its rows. Those of histories and operations have no source.
QUERIES = {
    "sales_by_month": f"select extract(year from o.created_at)::int, extract(month from o.created_at)::int, u.currency_code, "
    f"count(*), sum(units_sold), sum(units_sold * unit_price) from {_SALES} group by 1, 2, 3",
    "top_designs": f"select * from ({_RANKED_SALES}, g.design_name, sum(units_sold), sum(units_sold * unit_price) from {_SALES} "
    f"group by u.currency_code, g.design_name) r where place <= 10",
    "top_customers": f"select * from ({_RANKED_SALES}, c.counterparty_legal_name, count(*), sum(units_sold * unit_price), "
    f"round(sum(units_sold * unit_price) / sum(sum(units_sold * unit_price)) over (partition by u.currency_code), 4) "
    f"from {_SALES} group by u.currency_code, c.counterparty_legal_name) r where place <= 10",
    "sales_by_country": f"select a.country, u.currency_code, count(*), sum(units_sold * unit_price) from {_SALES} group by 1, 2",
    "sales_by_staff_between": f"select o.staff_id, d.department_name, u.currency_code, count(*), sum(units_sold), "
    f"sum(units_sold * unit_price) from {_SALES} where o.created_at >= '2022-11-05' and o.created_at < '2022-11-10' "
    f"group by 1, 2, 3",
    "purchases_by_supplier": f"select c.counterparty_legal_name, u.currency_code, count(*), sum(item_quantity), "
    f"sum(item_quantity * item_unit_price) from {_PURCHASES} group by 1, 2",
    "purchases_by_department": f"select d.department_name, extract(year from o.created_at)::int, "
    f"extract(month from o.created_at)::int, u.currency_code, sum(item_quantity * item_unit_price) from {_PURCHASES} "
    f"group by 1, 2, 3, 4",
    "item_prices": f"select o.item_code, u.currency_code, count(*), min(item_unit_price), max(item_unit_price), "
    f"(array_agg(item_unit_price order by purchase_order_id desc))[1] from {_PURCHASES} group by 1, 2",
    "purchases_from_supplier": f"select o.purchase_order_id, o.created_at::date, o.item_code, o.item_quantity, "
    f"o.item_unit_price, u.currency_code, o.agreed_delivery_date::date from {_PURCHASES} where o.counterparty_id = 5",
    "overdue_payments": f"select p.payment_id, k.payment_type_name::text, c.counterparty_legal_name, p.payment_date::date, "
    f"p.payment_amount, u.currency_code from {_PAYMENTS} where not p.paid and p.payment_date::date < {_TODAY}",
    "open_by_days_overdue": f"select u.currency_code, k.payment_type_name::text, {_RANGE}, count(*), sum(p.payment_amount) "
    f"from {_PAYMENTS} where not p.paid group by 1, 2, 3",
    "orders_without_payment": f"select o.kind, o.id, o.day, c.counterparty_legal_name, o.price, u.currency_code from {_ORDERS} "
    f"where p.payment_id is null",
    "amounts_that_differ": f"select o.kind, o.id, p.payment_id, o.price, u.currency_code, p.payment_amount, v.currency_code "
    f"from {_ORDERS} where p.payment_amount <> o.price or u.currency_code <> v.currency_code",
    "payments_due_between": f"select p.payment_date::date, k.payment_type_name::text, u.currency_code, p.paid, count(*), "
    f"sum(p.payment_amount) from {_PAYMENTS} where p.payment_date::date between '2022-11-05' and '2022-11-20' group by 1, 2, 3, 4",
    "sales_as_of": f"select u.currency_code, count(*), sum(units_sold), sum(units_sold * unit_price) from {_SALES} group by 1",
}
#: Parameters with which the queries above were written, instead of their examples.
PARAMETERS = {
    "sales_by_staff_between": "date '2022-11-05', date '2022-11-09'",
    "purchases_from_supplier": "5",
    "payments_due_between": "date '2022-11-05', date '2022-11-20'",
    "sales_as_of": "timestamp '2099-01-01 00:00:00', timestamp '2099-01-01 00:00:00'",
}

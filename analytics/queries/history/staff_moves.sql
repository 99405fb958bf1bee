-- Which employees changed their department, and when?
SELECT staff_id, former_department, department_name, valid_from AS since
FROM (
    SELECT staff_id, department_name, valid_from,
           lag(department_name) OVER (PARTITION BY staff_id ORDER BY valid_from) AS former_department
    FROM history_staff
) AS versions
WHERE former_department <> department_name
ORDER BY since, staff_id

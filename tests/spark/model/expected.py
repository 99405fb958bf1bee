"""What the lake must hold after batches, said without the lake."""

from collections import defaultdict
from datetime import date

GOOD, BAD = "2024-12-01", "2024-12-32"
FACTS = {"sales_order": "fact_sales_order", "transaction": "dim_transaction", "payment": "fact_payment"}
_DATES = {
    "sales_order": ("created_at", "last_updated", "agreed_delivery_date", "agreed_payment_date"),
    "payment": ("created_at", "last_updated", "payment_date"),
}


class Expected:
    """For each table and key its versions, each with its batch; its deletions; and what is quarantined."""

    def __init__(self):
        self.versions = {name: defaultdict(list) for name in FACTS}
        self.deleted = {name: defaultdict(int) for name in FACTS}
        self.held = {name: set() for name in FACTS}
        self.seen = {name: {} for name in FACTS}

    def current(self, name, key):
        versions = self.versions[name][key]
        return versions[-1] if versions and versions[-1][0] > self.deleted[name][key] else None

    def shown(self, name):
        return {key for key in list(self.versions[name]) if self.current(name, key)}

    def written(self, name, batch):
        """Key → batch and row of every version up to a batch."""
        found = {key: [v for v in versions if v[0] <= batch] for key, versions in self.versions[name].items()}
        return {key: versions for key, versions in found.items() if versions}

    def days(self):
        """Every day of every year that a version of a fact refers to."""
        years = {
            int(row[column][:4])
            for name, columns in _DATES.items()
            for versions in self.versions[name].values()
            for _, row in versions
            for column in columns
        }
        return {day for year in years for day in range(_first(year), _first(year) + (366 if _is_leap(year) else 365))}

    def apply(self, number, source, read, keys):
        for name in FACTS:
            rows = source[name]
            offered = set(read.get(name, ())) | (self.held[name] & rows.keys() if keys else self.held[name])
            self.held[name] = set()
            for key in sorted(offered):
                row = self._row(name, key, rows)
                if self._is_bad(name, row):
                    self.held[name].add(key)
                elif not (current := self.current(name, key)) or current[1] != row:
                    self.versions[name][key].append((number, row))
                self.seen[name][key] = row
            if keys:
                for key in self.shown(name) - rows.keys():
                    self.deleted[name][key] = number

    def _row(self, name, key, rows):
        """The row as the batch has it; of a held one that is gone, as it was last seen."""
        return rows[key] if key in rows else self.seen[name][key]

    def _is_bad(self, name, row):
        if name == "sales_order":
            return row["agreed_delivery_date"] == BAD
        parent, column = {
            "transaction": ("sales_order", "sales_order_id"),
            "payment": ("transaction", "transaction_id"),
        }[name]
        return not self.versions[parent][int(row[column])]


def _first(year):
    return date(year, 1, 1).toordinal() - date(1970, 1, 1).toordinal()


def _is_leap(year):
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)

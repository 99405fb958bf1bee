"""What a reader chooses by: days on every sheet at once, currency and counterparty on each sheet.

A control lists the values of one data set. So each sheet has its own control of a column, over the data set of its figures: with
the customers' list a supplier could not be chosen. A range of days has no list; one choice holds on every sheet.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from analytics.dashboard.description import FIRST_CURRENCY, PAGES
from analytics.dashboard.parts import CURRENCY, DataSet, Page, Visual
from cdk_app.quicksight.fields import Body, axis_name, column, has
from contracts.tables.types import DATE

#: Days that are chosen before anybody chooses: of dates two years; of moments, which batches have by the hundred a day, a week.
_MONTHS, _DAYS = 24, 7


@dataclass(frozen=True, slots=True)
class Filter:
    """One thing to choose by.

    Attributes
    ----------
    id
        Unique in the dashboard.
    data, column
        What is chosen, and the data set whose values a control lists. Other data sets follow by the column's name.
    scope
        Sheet → visuals that follow.
    """

    id: str
    data: DataSet
    column: str
    scope: dict[str, tuple[str, ...]]

    @property
    def is_by_day(self) -> bool:
        """Whether a range of days is chosen."""
        return self.column == self.data.day

    def group(self) -> Body:
        """Return the filter group."""
        kind = "TimeRangeFilter" if self.is_by_day else "CategoryFilter"
        body: Body = {"FilterId": self.id, "Column": column(self.data, self.column)}
        body |= self._range() if self.is_by_day else {"Configuration": {"FilterListConfiguration": self._chosen()}}
        if len(self.scope) > 1:
            options = {"DefaultDateTimePickerOptions": {"Type": "DATE_RANGE"}}
            body["DefaultFilterControlConfiguration"] = {"Title": self._title, "ControlOptions": options}
        sheets = [
            {"SheetId": sheet, "Scope": "SELECTED_VISUALS", "VisualIds": [*visuals]}
            for sheet, visuals in self.scope.items()
        ]
        return {
            "FilterGroupId": f"{self.id}-group",
            "Filters": [{kind: body}],
            "ScopeConfiguration": {"SelectedSheets": {"SheetVisualScopingConfigurations": sheets}},
            "CrossDataset": "ALL_DATASETS",
            "Status": "ENABLED",
        }

    def control(self, page: Page) -> Body:
        """Return the control on a sheet."""
        body = {"FilterControlId": self.control_id(page), "SourceFilterId": self.id}
        if len(self.scope) > 1:
            return {"CrossSheet": body}
        body["Title"] = self._title
        if self.is_by_day:
            return {"DateTimePicker": body | {"Type": "DATE_RANGE"}}
        one = self.column == CURRENCY
        every = {"SelectAllOptions": {"Visibility": "HIDDEN" if one else "VISIBLE"}}
        return {"Dropdown": body | {"Type": "SINGLE_SELECT" if one else "MULTI_SELECT", "DisplayOptions": every}}

    def control_id(self, page: Page) -> str:
        """Return the id of the control on a sheet."""
        return f"{page.id}-{self.id}-control"

    @property
    def _title(self) -> str:
        return "Days" if self.is_by_day else axis_name(self.data, self.column)

    def _chosen(self) -> Body:
        if self.column == CURRENCY:
            return {"MatchOperator": "CONTAINS", "CategoryValues": [FIRST_CURRENCY], "NullOption": "NON_NULLS_ONLY"}
        return {"MatchOperator": "CONTAINS", "SelectAllOptions": "FILTER_ALL_VALUES", "NullOption": "ALL_VALUES"}

    def _range(self) -> Body:
        is_date = self.data.column(self.column).type == DATE
        since = (
            f"addDateTime(-{_MONTHS}, 'MM', truncDate('MM', now()))"
            if is_date
            else f"addDateTime(-{_DAYS}, 'DD', now())"
        )
        return {
            "RangeMinimumValue": {"RollingDate": {"Expression": since}},
            "RangeMaximumValue": {"RollingDate": {"Expression": "now()"}},
            "IncludeMinimum": True,
            "IncludeMaximum": True,
            "NullOption": "ALL_VALUES",  # a batch that is not loaded has no moment, and is shown
            "TimeGranularity": "DAY" if is_date else "MINUTE",
        }


def filters() -> tuple[Filter, ...]:
    """Return every filter of the dashboard."""
    return (*_by_day(), *(chosen for page in PAGES for chosen in _by_column(page)))


def _by_day() -> Iterator[Filter]:
    """Yield one filter for each column of days: data sets whose days are called alike share one."""
    for day in dict.fromkeys(shown.data.day for page in PAGES for shown in page.shown if shown.data.day):
        following = {page.id: [shown for shown in page.shown if shown.data.day == day] for page in PAGES}
        scope = {sheet: tuple(shown.id for shown in visuals) for sheet, visuals in following.items() if visuals}
        data = next(visuals[0].data for visuals in following.values() if visuals)
        yield Filter(day.replace("_", "-"), data, day, scope)


def _by_column(page: Page) -> Iterator[Filter]:
    for name in page.filters:
        following = [shown for shown in page.shown if has(shown.data, name)]
        if name == CURRENCY:
            following = [shown for shown in following if not (isinstance(shown, Visual) and shown.all_currencies)]
        scope = {page.id: tuple(shown.id for shown in following)}
        yield Filter(f"{page.id}-{name.replace('_', '-')}", following[0].data, name, scope)

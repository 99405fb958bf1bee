"""The dashboard in Quick Sight: of either source, in either mode, it is what the description says and what the service takes."""

import json
import re
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import aws_cdk as cdk
import pytest
from aws_cdk import aws_secretsmanager as secrets
from aws_cdk.assertions import Template
from cdk_nag import AwsSolutionsChecks
from cfnlint.api import lint
from cfnlint.config import ManualArgs

from analytics.dashboard.description import CURRENCY_COLOURS, FIRST_CURRENCY, PAGES, SYNC
from analytics.dashboard.parts import Unit
from cdk_app.analytics_stack import AnalyticsStack
from cdk_app.quicksight.definition import definition, version
from cdk_app.quicksight.permissions import OWNER, READER
from cdk_app.settings import read_settings
from cdk_app.storage_stack import StorageStack
from contracts.tables.views import VIEWS
from local.emulator.cloudformation import _quicksight
from local.emulator.quicksight import ARNS, as_request, problems
from tests.infra.conftest import CDK_JSON, OVERRIDES

PLACE = "arn:aws:quicksight:eu-west-2:111111111111"
OWNERS, READERS, RULES = f"{PLACE}:group/default/owners", f"{PLACE}:group/default/readers", f"{PLACE}:dataset/rules"
VPC = f"{PLACE}:vpcConnection/warehouse"
BASE = {"env": "prod", "quicksight_principal": OWNERS, "quicksight_readers": READERS}
LAKE = BASE | {"quicksight_source": "lake"}
WAREHOUSE = BASE | {
    "quicksight_source": "warehouse",
    "quicksight_warehouse_host": "warehouse.example.com",
    "quicksight_warehouse_database": "star",
    "quicksight_vpc_connection": VPC,
    "quicksight_row_level_data_set": RULES,
    "warehouse_schema": "star",
}
VARIANTS = {
    f"{source}-{mode}": settings | {"quicksight_mode": mode}
    for source, settings in (("lake", LAKE), ("warehouse", WAREHOUSE))
    for mode in ("direct", "spice")
}
SHOWN = {data.name: data for data in (*(shown.data for page in PAGES for shown in page.shown), SYNC)}
PLAIN = definition({name: name for name in SHOWN})


@cache
def _template(settings):
    """Synthesise the analytics stack with what it needs, under cdk-nag; return its template and the findings."""
    chosen = read_settings({**OVERRIDES, **dict(settings)}, CDK_JSON["context"]["environments"])
    app = cdk.App(context=CDK_JSON["context"])
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    env = cdk.Environment(account=chosen.account, region=chosen.region)
    storage = StorageStack(app, "storage", env=env, settings=chosen)
    secret = secrets.Secret.from_secret_complete_arn(
        storage, "Given", "arn:aws:secretsmanager:eu-west-2:111111111111:secret:totesys-prod/warehouse-AbCdEf"
    )
    stack = AnalyticsStack(app, "analytics", env=env, settings=chosen, storage=storage, warehouse_secret=secret)
    report = app.synth().directory
    return Template.from_stack(stack).to_json(), report


def template(settings):
    return _template(tuple(sorted(settings.items())))[0]


@pytest.fixture(params=VARIANTS, ids=VARIANTS)
def variant(request):
    """Return a variant's name and its template."""
    return request.param, template(VARIANTS[request.param])


def resources(found, kind):
    return [r["Properties"] for r in found["Resources"].values() if r["Type"] == f"AWS::QuickSight::{kind}"]


def resolved(value, found):
    """Return a value of a template without intrinsic functions: what CloudFormation hands to the service."""
    if isinstance(value, list):
        return [resolved(item, found) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"Fn::GetAtt"}:
        name, attribute = value["Fn::GetAtt"]
        assert attribute == "Arn"
        resource = found["Resources"][name]
        kind = resource["Type"].removeprefix("AWS::QuickSight::")
        return f"{PLACE}:{ARNS[kind].format(**resource['Properties'])}"
    assert not [name for name in value if name.startswith("Fn::") or name == "Ref"], value
    return {name: resolved(item, found) for name, item in value.items()}


def every(value, name):
    """Yield each value that stands under a name, at any depth."""
    if isinstance(value, list):
        for item in value:
            yield from every(item, name)
    if isinstance(value, dict):
        for key, item in value.items():
            if key == name:
                yield item
            yield from every(item, name)


def visuals(shown):
    """Return id → visual of a definition."""
    return {
        body["VisualId"]: body for sheet in shown["Sheets"] for visual in sheet["Visuals"] for body in visual.values()
    }


def filters(shown, kind):
    """Return the filters of a kind, each with the visuals that follow it."""
    found = []
    for group in shown["FilterGroups"]:
        scopes = group["ScopeConfiguration"]["SelectedSheets"]["SheetVisualScopingConfigurations"]
        assert {scope["Scope"] for scope in scopes} == {"SELECTED_VISUALS"} and group["Status"] == "ENABLED"
        following = {visual for scope in scopes for visual in scope["VisualIds"]}
        found += [(body[kind], following) for body in group["Filters"] if kind in body]
    return found


# ---- what the service takes


def linted(found):
    """Return the errors and warnings of cfn-lint."""
    matches = lint(json.dumps(found), config=ManualArgs(regions=["eu-west-2"]))
    return [str(match) for match in matches if match.rule.id[0] in "EW"]


def test_cloudformation_takes_the_template(variant):
    """cfn-lint has CloudFormation's own schemas of every resource."""
    assert linted(variant[1]) == []


def test_cfn_lint_tells_a_wrong_template():
    """Without this, a linter that looks at nothing would pass the test above."""
    found = json.loads(json.dumps(template(VARIANTS["lake-direct"])))
    (dashboard,) = resources(found, "Dashboard")
    dashboard["Definition"]["Sheets"][0]["Visuals"][1]["KPIVisual"]["Colour"] = "red"
    assert "Colour" in " ".join(linted(found))


def test_the_service_takes_each_resource(variant):
    _, found = variant
    kinds = set()
    for resource in found["Resources"].values():
        if resource["Type"].startswith("AWS::QuickSight::"):
            kind = resource["Type"].removeprefix("AWS::QuickSight::")
            kinds.add(kind)
            assert problems(kind, resolved(resource["Properties"], found)) == "", resource
    assert kinds == set(ARNS) - ({"RefreshSchedule"} if variant[0].endswith("direct") else set())


def test_a_wrong_resource_is_told():
    assert "BaseThemeId" in problems("Theme", {"AwsAccountId": "111111111111", "ThemeId": "t", "Name": "t"})
    schedule = {"ScheduleId": "s", "RefreshType": "FULL_REFRESH", "ScheduleFrequency": {"TimeZone": "UTC"}}
    request = {"AwsAccountId": "111111111111", "DataSetId": "d", "Schedule": schedule}
    assert "Interval" in problems("RefreshSchedule", request)
    assert as_request("RefreshSchedule", request)["Schedule"]["ScheduleFrequency"] == {"Timezone": "UTC"}


def test_the_local_aws_gives_each_resource_its_arn_and_refuses_a_wrong_one():
    place = SimpleNamespace(get_region=lambda: "eu-west-2", get_account_id=lambda: "111111111111")
    found = template(VARIANTS["lake-spice"])
    arns = set()
    for resource in found["Resources"].values():
        kind = resource["Type"].rpartition("::")[2]
        if resource["Type"].startswith("AWS::QuickSight::"):
            create = _quicksight(place, kind)["create"]
            arns.add(create("Id", resolved(resource["Properties"], found), "stack")[1]["Arn"].removeprefix(f"{PLACE}:"))
            with pytest.raises(ValueError, match="Missing required parameter"):
                create("Id", {"Schedule": {"ScheduleFrequency": {}}}, "stack")
    sales = "dataset/totesys-prod-sales-by-day"
    assert {"dashboard/totesys-prod-dashboard", sales, f"{sales}/refresh-schedule/hourly"} < arns
    assert len(arns) == 4 + 2 * len(SHOWN)


def test_cdk_nag_finds_nothing(variant):
    report = Path(_template(tuple(sorted(VARIANTS[variant[0]].items())))[1]) / "validation-report.json"
    assert json.loads(report.read_text())["pluginReports"] == []


# ---- where figures come from


def test_columns_and_types_are_those_of_the_views(variant):
    name, found = variant
    sets = {body["DataSetId"].removeprefix("totesys-prod-"): body for body in resources(found, "DataSet")}
    assert sets.keys() == {shown.replace("_", "-") for shown in SHOWN}
    for body in sets.values():
        ((table_id, table),) = body["PhysicalTableMap"].items()
        (asked,) = table.values()
        shown = VIEWS.get(asked["Name"], SYNC)
        told = asked.get("InputColumns") or asked["Columns"]
        assert [(c["Name"], c["Id"], c["Type"]) for c in told] == [
            (c.name, c.name, c.type.quicksight) for c in shown.columns
        ]
        assert set(table) == ({"CustomSql"} if shown is SYNC else {"RelationalTable"})
        if shown is not SYNC:
            place = ("AwsDataCatalog", "totesys") if name.startswith("lake") else (None, "star")
            assert (asked.get("Catalog"), asked["Schema"]) == place
        assert body["ImportMode"] == ("SPICE" if name.endswith("spice") else "DIRECT_QUERY")
        assert table_id == body["DataSetId"].removeprefix("totesys-prod-")


def test_a_data_set_is_its_table_with_the_meaning_of_each_column(variant):
    for body in resources(variant[1], "DataSet"):
        prepared, meant = body["DataPrepConfiguration"], body["SemanticModelConfiguration"]
        ((source, table),) = prepared["SourceTableMap"].items()
        ((step, imported),) = prepared["TransformStepMap"].items()
        ((destination, taken),) = prepared["DestinationTableMap"].items()
        ((_, semantic),) = meant["TableMap"].items()
        assert table["PhysicalTableId"] in body["PhysicalTableMap"]
        assert imported["ImportTableStep"]["Source"]["SourceTableId"] == source
        assert taken["Source"]["TransformOperationId"] == step and semantic["DestinationTableId"] == destination
        told = {
            column: next(iter(every(meaning, "Text")))
            for meaning in semantic["SemanticMetadata"]["ColumnMetadata"]
            for column in meaning["ColumnNames"]
        }
        assert told == {column.name: column.description for column in SHOWN[semantic["Alias"]].columns}


def test_the_history_of_synchronisation_is_asked_where_it_stands():
    asked = {
        name: next(every(resources(template(settings), "DataSet"), "SqlQuery")) for name, settings in VARIANTS.items()
    }
    columns = ", ".join(column.name for column in SYNC.columns)
    assert asked["lake-direct"] == asked["lake-spice"] == f"select {columns} from totesys_raw.publication_table"
    moments = ", ".join(
        f"b.{name} at time zone 'UTC' as {name}" for name in ("snapshot_time", "published_at", "loaded_at")
    )
    assert asked["warehouse-direct"] == asked["warehouse-spice"]
    assert asked["warehouse-direct"] == (
        f"select b.batch, t.table_name, {moments}, t.inserted, t.updated, t.deleted "
        'from "etl_star".batch_table t join "etl_star".batch b on b.batch = t.batch'
    )
    selected = asked["warehouse-direct"].removeprefix("select ").split(" from ")[0].split(", ")
    assert [re.split(r"[ .]", part)[-1] for part in selected] == [column.name for column in SYNC.columns]


@pytest.mark.parametrize(("ledger", "quoted"), [("books", '"books".batch '), ('a"b', '"a""b".batch ')])
def test_the_ledger_is_the_one_of_the_settings(ledger, quoted):
    (asked,) = every(
        resources(template(VARIANTS["warehouse-direct"] | {"ledger_schema": ledger}), "DataSet"), "SqlQuery"
    )
    assert quoted in asked


def test_the_lake_is_asked_through_the_workgroup_and_the_warehouse_by_its_secret_over_tls():
    (lake,) = resources(template(VARIANTS["lake-direct"]), "DataSource")
    assert lake["Type"] == "ATHENA"
    assert lake["DataSourceParameters"] == {"AthenaParameters": {"WorkGroup": "totesys-prod"}}
    assert "Credentials" not in lake and "VpcConnectionProperties" not in lake
    (warehouse,) = resources(template(VARIANTS["warehouse-direct"]), "DataSource")
    assert warehouse["Type"] == "POSTGRESQL" and warehouse["SslProperties"] == {"DisableSsl": False}
    assert warehouse["DataSourceParameters"] == {
        "PostgreSqlParameters": {"Host": "warehouse.example.com", "Port": 5432, "Database": "star"}
    }
    assert [*warehouse["Credentials"]] == ["SecretArn"]
    assert warehouse["VpcConnectionProperties"] == {"VpcConnectionArn": VPC}


def test_a_refresh_schedule_is_there_for_each_data_set_in_spice_and_for_no_other(variant):
    name, found = variant
    schedules = resources(found, "RefreshSchedule")
    if name.endswith("direct"):
        assert schedules == []
        return
    assert {body["DataSetId"] for body in schedules} == {body["DataSetId"] for body in resources(found, "DataSet")}
    for body in schedules:
        assert body["Schedule"]["RefreshType"] == "FULL_REFRESH"
        assert body["Schedule"]["ScheduleFrequency"] == {"Interval": "HOURLY", "TimeZone": "UTC"}


def test_a_schedule_waits_for_its_data_set_and_may_be_daily():
    found = template(VARIANTS["lake-spice"] | {"quicksight_refresh_minutes": "1440"})
    for resource in found["Resources"].values():
        if resource["Type"] == "AWS::QuickSight::RefreshSchedule":
            (needed,) = [
                found["Resources"][name]
                for name in resource["DependsOn"]
                if "DataSet" in found["Resources"][name]["Type"]
            ]
            assert needed["Properties"]["DataSetId"] == resource["Properties"]["DataSetId"]
            frequency = resource["Properties"]["Schedule"]["ScheduleFrequency"]
            assert frequency == {"Interval": "DAILY", "TimeOfTheDay": "05:00", "TimeZone": "UTC"}


def test_rules_hold_for_every_data_set_with_business_in_it():
    ruled = {}
    for body in resources(template(VARIANTS["warehouse-spice"]), "DataSet"):
        (table,) = body["SemanticModelConfiguration"]["TableMap"].values()
        ruled[table["Alias"]] = table.get("RowLevelPermissionConfiguration")
    rule = {"Arn": RULES, "PermissionPolicy": "GRANT_ACCESS", "FormatVersion": "VERSION_1", "Status": "ENABLED"}
    assert ruled.pop("sync") is None
    assert list(ruled.values()) == [{"RowLevelPermissionDataSet": rule}] * 4
    assert not [*every(resources(template(VARIANTS["lake-direct"]), "DataSet"), "RowLevelPermissionConfiguration")]


# ---- who may do what

#: The sets that the service's documentation gives for owners.
KNOWN = {
    "DataSource": 6,
    "DataSet": 10,
    "Theme": 11,
    "Analysis": 7,
    "Dashboard": 8,
}


def test_owners_get_complete_sets_and_readers_the_dashboard_only(variant):
    for kind, number in KNOWN.items():
        bodies = resources(variant[1], kind)
        assert bodies
        for body in bodies:
            granted = {grant["Principal"]: set(grant["Actions"]) for grant in body["Permissions"]}
            assert granted.pop(OWNERS) == {f"quicksight:{action}" for action in OWNER[kind]}
            assert len(set(OWNER[kind])) == number and f"Update{kind}Permissions" in OWNER[kind]
            reading = {READERS: {f"quicksight:{action}" for action in READER[kind]}} if kind in READER else {}
            assert granted == reading


def test_readers_change_nothing():
    assert READER.keys() == {"Theme", "Dashboard"}
    for kind, actions in READER.items():
        assert set(actions) < set(OWNER[kind])
        assert {action.removesuffix(kind)[:4] for action in actions} <= {"Desc", "List", "Quer"}


def test_actions_are_operations_of_the_service():
    """But QueryDashboard, QueryAnalysis and the Pass… ones, which IAM alone knows."""
    import botocore.session

    known = set(botocore.session.get_session().get_service_model("quicksight").operation_names)
    known |= {"QueryDashboard", "QueryAnalysis", "PassDataSet", "PassDataSource"}
    assert {action for actions in (*OWNER.values(), *READER.values()) for action in actions} <= known


def test_without_readers_there_is_one_principal():
    found = template({name: value for name, value in VARIANTS["lake-direct"].items() if name != "quicksight_readers"})
    for kind in KNOWN:
        assert {g["Principal"] for body in resources(found, kind) for g in body["Permissions"]} == {OWNERS}


# ---- what is shown


def test_the_analysis_and_the_dashboard_share_one_definition_and_the_theme(variant):
    _, found = variant
    (analysis,), (dashboard,), (theme,) = (resources(found, kind) for kind in ("Analysis", "Dashboard", "Theme"))
    assert analysis["Definition"] == dashboard["Definition"]
    assert (
        resolved(analysis["ThemeArn"], found)
        == resolved(dashboard["ThemeArn"], found)
        == f"{PLACE}:theme/totesys-prod-theme"
    )
    assert theme["Configuration"]["DataColorPalette"]["Colors"][: len(CURRENCY_COLOURS)] == [*CURRENCY_COLOURS.values()]
    assert analysis["ValidationStrategy"] == dashboard["ValidationStrategy"] == {"Mode": "STRICT"}
    declared = dashboard["Definition"]["DataSetIdentifierDeclarations"]
    assert {d["Identifier"]: resolved(d["DataSetArn"], found) for d in declared} == {
        name: f"{PLACE}:dataset/totesys-prod-{name.replace('_', '-')}" for name in SHOWN
    }


def test_a_version_is_named_after_the_release_and_what_is_shown(variant, monkeypatch):
    (dashboard,) = resources(variant[1], "Dashboard")
    assert dashboard["VersionDescription"] == version()
    monkeypatch.setattr("cdk_app.quicksight.definition.CURRENCY_COLOURS", {"GBP": "#000000"})
    assert dashboard["VersionDescription"] != version()


def test_each_page_is_a_sheet_with_all_that_it_shows():
    assert [(sheet["SheetId"], sheet["Name"]) for sheet in PLAIN["Sheets"]] == [(page.id, page.title) for page in PAGES]
    for sheet, page in zip(PLAIN["Sheets"], PAGES, strict=True):
        ids = [body["VisualId"] for visual in sheet["Visuals"] for body in visual.values()]
        assert ids == [f"{page.id}-as-of", *(shown.id for shown in page.shown)]
        (text,) = sheet["TextBoxes"]
        assert page.says in text["Content"] and page.title in text["Content"]


def test_ids_are_unique():
    for name in ("VisualId", "SheetId", "FilterGroupId", "FilterId", "FilterControlId", "SheetTextBoxId"):
        where = PLAIN["FilterGroups"] if name.startswith("FilterG") or name == "FilterId" else PLAIN["Sheets"]
        ids = [*every(where, name)]
        assert ids and len(ids) == len(set(ids)), name
    for visual in visuals(PLAIN).values():
        fields = [*every(visual["ChartConfiguration"]["FieldWells"], "FieldId")]
        assert len(fields) == len(set(fields)) > 0


def test_every_reference_leads_somewhere():
    declared = {d["Identifier"] for d in PLAIN["DataSetIdentifierDeclarations"]}
    columns = {(name, column.name) for name in declared for column in SHOWN[name].columns}
    columns |= {(field["DataSetIdentifier"], field["Name"]) for field in PLAIN["CalculatedFields"]}
    for name in ("Column", "SortBy"):
        for column in every(PLAIN, name):
            assert (column["DataSetIdentifier"], column["ColumnName"]) in columns
    for visual in visuals(PLAIN).values():
        configuration = visual["ChartConfiguration"]
        own = {*every(configuration["FieldWells"], "FieldId")}
        assert {*every(configuration, "FieldId")} == own
    existing = visuals(PLAIN)
    assert {visual for ids in every(PLAIN["FilterGroups"], "VisualIds") for visual in ids} <= existing.keys()
    assert {*every(PLAIN["Sheets"], "SourceFilterId")} == {*every(PLAIN["FilterGroups"], "FilterId")}


def test_everything_is_placed_once_and_nothing_overlaps():
    for sheet in PLAIN["Sheets"]:
        placed = sheet["Layouts"][0]["Configuration"]["GridLayout"]["Elements"]
        expected = {*every(sheet["Visuals"], "VisualId"), *every(sheet["TextBoxes"], "SheetTextBoxId")}
        assert sorted(element["ElementId"] for element in placed) == sorted(expected)
        cells = [
            (row, column)
            for e in placed
            for row in range(e["RowIndex"], e["RowIndex"] + e["RowSpan"])
            for column in range(e["ColumnIndex"], e["ColumnIndex"] + e["ColumnSpan"])
        ]
        assert len(cells) == len(set(cells)) and max(column for _, column in cells) == 35
        controls = sheet["SheetControlLayouts"][0]["Configuration"]["GridLayout"]["Elements"]
        assert [c["ElementId"] for c in controls] == [*every(sheet["FilterControls"], "FilterControlId")]


def test_money_is_never_added_across_currencies():
    """A figure in money has the currency as its colour, or follows a filter that lets exactly one currency be chosen."""
    filtered = {}
    for body, following in filters(PLAIN, "CategoryFilter"):
        chosen = body["Configuration"]["FilterListConfiguration"]
        if body["Column"]["ColumnName"] == "currency_code":
            assert chosen["CategoryValues"] == [FIRST_CURRENCY] and "SelectAllOptions" not in chosen
            filtered[body["FilterId"]] = following
    for sheet in PLAIN["Sheets"]:
        for control in sheet["FilterControls"]:
            ((kind, body),) = control.items()
            if body["SourceFilterId"] in filtered:
                assert (kind, body["Type"]) == ("Dropdown", "SINGLE_SELECT")
                assert body["DisplayOptions"] == {"SelectAllOptions": {"Visibility": "HIDDEN"}}
    money = {column.name for data in SHOWN.values() for column in data.columns if column.type.quicksight == "DECIMAL"}
    shown = visuals(PLAIN)
    seen = split = 0
    for name, visual in shown.items():
        wells = visual["ChartConfiguration"]["FieldWells"]
        if not money & {field["Column"]["ColumnName"] for field in every(wells, "NumericalMeasureField")}:
            continue
        seen += 1
        colours = [column["ColumnName"] for colour in every(wells, "Colors") for column in every(colour, "Column")]
        follows = any(name in following for following in filtered.values())
        assert (colours == ["currency_code"]) != follows, name
        split += colours == ["currency_code"]
    figures = [s for page in PAGES for s in page.shown if s.measure.unit is Unit.MONEY]
    assert seen == len(figures) and split == sum(getattr(s, "all_currencies", False) for s in figures) == 3


def test_every_data_set_with_currencies_has_their_colours():
    coloured = {c["Column"]["DataSetIdentifier"]: c["ColorsConfiguration"] for c in PLAIN["ColumnConfigurations"]}
    assert coloured.keys() == SHOWN.keys() - {"sync"}
    for colours in coloured.values():
        assert {c["FieldValue"]: c["Color"] for c in colours["CustomColors"]} == CURRENCY_COLOURS


def test_days_are_chosen_once_for_all_sheets_that_have_them():
    days, moments = sorted(filters(PLAIN, "TimeRangeFilter"), key=lambda found: found[0]["FilterId"])
    with_day = {s.id for page in PAGES for s in page.shown if s.data.day == "day"}
    assert days[0]["FilterId"] == "day" and days[1] == with_day
    assert moments[1] == {s.id for page in PAGES for s in page.shown if s.data == SYNC}
    kinds = {
        sheet["SheetId"]: [
            *next(
                c for c in sheet["FilterControls"] if next(iter(c.values()))["SourceFilterId"] in ("day", "loaded-at")
            )
        ]
        for sheet in PLAIN["Sheets"]
    }
    assert kinds == {
        "sales": ["CrossSheet"],
        "purchases": ["CrossSheet"],
        "payments": ["CrossSheet"],
        "platform": ["DateTimePicker"],
    }
    assert "DefaultFilterControlConfiguration" in days[0] and "DefaultFilterControlConfiguration" not in moments[0]


def test_as_of_is_the_newest_batch_whatever_is_chosen():
    scoped = {visual for ids in every(PLAIN["FilterGroups"], "VisualIds") for visual in ids}
    shown = visuals(PLAIN)
    for page in PAGES:
        assert f"{page.id}-as-of" not in scoped
        (moment,) = every(shown[f"{page.id}-as-of"], "DateMeasureField")
        assert moment["Column"] == {"DataSetIdentifier": "sync", "ColumnName": "snapshot_time"}
        assert moment["AggregationFunction"] == "MAX"
    assert scoped == shown.keys() - {f"{page.id}-as-of" for page in PAGES}


def test_a_sum_over_days_is_compared_with_the_period_before_and_nothing_else_is():
    shown = visuals(PLAIN)
    compared = set()
    for page in PAGES:
        for kpi in page.kpis:
            configuration = shown[kpi.id]["ChartConfiguration"]
            trend = configuration["FieldWells"].get("TrendGroups", [])
            if "Comparison" in configuration["KPIOptions"]:
                compared.add(kpi.id)
                assert configuration["KPIOptions"]["Comparison"] == {"ComparisonMethod": "PERCENT_DIFFERENCE"}
                (field,) = every(trend, "DateDimensionField")
                assert field["Column"]["ColumnName"] == kpi.data.day
                assert field["DateGranularity"] == ("DAY" if kpi.data == SYNC else "MONTH")
            else:
                assert trend == []
    every_kpi = {kpi.id for page in PAGES for kpi in page.kpis}
    assert every_kpi - compared == {"payments-open", "platform-batch"}


def test_the_largest_come_first_and_ranges_in_their_order():
    shown = visuals(PLAIN)
    for page in PAGES:
        for visual in page.visuals:
            sorting = shown[visual.id]["ChartConfiguration"]["SortConfiguration"]
            limit = sorting.get("CategoryItemsLimit")
            assert limit == ({"ItemsLimit": visual.top, "OtherCategories": "EXCLUDE"} if visual.top else None)
            (by,) = sorting["CategorySort"]
            if visual.order:
                assert by["ColumnSort"]["SortBy"]["ColumnName"] == f"order of {visual.dimension}"
                continue
            field = {"FieldId": f"{visual.id}-value", "Direction": "DESC"}
            if visual.chart != "bar":
                field = {"FieldId": f"{visual.id}-axis", "Direction": "ASC"}
            assert by == {"FieldSort": field}
    (order,) = PLAIN["CalculatedFields"]
    (ordered,) = (visual for page in PAGES for visual in page.visuals if visual.order)
    places = [
        order["Expression"].index(f"{{{ordered.dimension}}} = '{value}', {n}") for n, value in enumerate(ordered.order)
    ]
    assert all(a < b for a, b in pairwise(places))


def test_figures_are_written_by_their_unit():
    digits = {Unit.MONEY: 2, Unit.NUMBER: 0, Unit.SECONDS: 1}
    shown = visuals(PLAIN)
    for page in PAGES:
        for figure in page.shown:
            (field,) = every(shown[figure.id], "NumericalMeasureField")
            written = field["FormatConfiguration"]["FormatConfiguration"]["NumberDisplayFormatConfiguration"]
            assert written["DecimalPlacesConfiguration"] == {"DecimalPlaces": digits[figure.measure.unit]}
            assert written["SeparatorConfiguration"]["ThousandsSeparator"] == {
                "Symbol": "COMMA",
                "Visibility": "VISIBLE",
            }
            assert field["AggregationFunction"] == {"SimpleNumericalAggregation": figure.measure.aggregate.upper()}


def test_without_a_principal_there_is_nothing_of_quick_sight():
    found = template({"env": "prod"})
    assert not [r for r in found["Resources"].values() if "QuickSight" in r["Type"]]

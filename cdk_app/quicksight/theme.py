"""The theme: the colours of the description."""

from typing import Any

from aws_cdk.aws_quicksight import CfnTheme

from analytics.dashboard.description import CURRENCY_COLOURS, FURTHER_COLOURS, MAIN_COLOUR


def configuration() -> Any:
    """Return the theme's configuration: data takes the colours of currencies first, then the further ones."""
    return CfnTheme.ThemeConfigurationProperty(
        data_color_palette=CfnTheme.DataColorPaletteProperty(colors=[*CURRENCY_COLOURS.values(), *FURTHER_COLOURS]),
        ui_color_palette=CfnTheme.UIColorPaletteProperty(accent=MAIN_COLOUR, accent_foreground="#FFFFFF"),
    )

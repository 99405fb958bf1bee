"""The dashboard as resources of Quick Sight: data sets, theme, an analysis for authors, a dashboard for readers."""

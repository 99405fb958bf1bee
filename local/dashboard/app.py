"""The script that Streamlit runs: the pages of the description, over the platform of one home."""

import sys
from functools import partial
from pathlib import Path

import streamlit as st

from analytics.dashboard.description import PAGES
from local.dashboard.page import show
from local.home import Home

HERE = Path(__file__).parent
st.set_page_config(page_title="Terrific Totes", page_icon=str(HERE / "icon.svg"), layout="wide")
for name in ("parts.css", "page.css"):
    st.html(HERE / name)
st.logo(str(HERE / "icon.svg"), size="large")
home = Home(Path(sys.argv[1]))
pages = [
    st.Page(partial(show, home, page), title=page.title, url_path=page.id, default=page is PAGES[0]) for page in PAGES
]
st.navigation(pages, position="top").run()

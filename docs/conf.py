"""Configuration of Sphinx. tools/build_site.py prepares the source folder and runs Sphinx."""

import importlib.metadata
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

project = "From pixels to a network that you trained"
author = "the course's authors"
language = "en"
extensions = [  # all but the first row are in docs/extensions
    *("myst_nb", "sphinx_design", "sphinx_copybutton", "sphinx.ext.autodoc"),
    *("api_docstrings", "chapter_pages", "glossary_links", "kernel_outputs", "light_pages", "link_previews"),
    *("mathml", "number_search", "predict_first", "table_numbers", "take_along"),
]
exclude_patterns = ["_static", "extensions", "node_modules"]

# Show the stored outputs of the notebooks, and treat all warnings as errors
nb_execution_mode = "off"
nb_merge_streams = True
myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist", "dollarmath", "substitution"]
myst_heading_anchors = 3
nitpicky = True

# Code can be copied, but what it printed need not be
copybutton_selector = ":not(.cell_output) > div > div.highlight > pre"

# The page of the helpers: what has a docstring, in the order of the source, with defaults as they are written there
autodoc_default_options = {"members": True}
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_inherit_docstrings = False  # those of torch.nn.Module say nothing about these networks
autodoc_typehints_format = "short"
add_module_names = False
# Types of Python and of other libraries: their pages are elsewhere, and the build asks no server for the addresses
nitpick_ignore_regex = [(r"py:\w+", r"(?!mnist_helpers\.)\w+(\.\w+)+")]

# Version numbers for the page of licences
_shipped = ["netron", "sphinx", "sphinx_book_theme", "pydata_sphinx_theme", "sphinx_design", "sphinx_copybutton"]
myst_substitutions = {name: importlib.metadata.version(name) for name in _shipped}

html_math_renderer = "mathml"
myst_update_mathjax = False

# Load nothing from other servers, as these two do by default
nb_ipywidgets_js = {}
mermaid_use_local = "none"

html_theme = "sphinx_book_theme"
html_context = {"default_mode": "auto"}  # light or dark mode as set in the visitor's system
html_title = project
html_favicon = "_static/favicon.svg"
html_static_path = ["_static"]
templates_path = ["_templates"]
html_css_files = [
    "look.css",
    "site.css",
    "live.css",
    "pad.css",
    "take_along.css",
    "answers.css",
    ("print_shared.css", {"media": "print"}),
    ("print.css", {"media": "print"}),
]
html_js_files = [("site.js", {"type": "module"}), "answers.js", "print.js"]
html_sourcelink_suffix = ""
html_domain_indices = False  # the general index has the helpers too
html_show_sphinx = False
html_show_copyright = False
pygments_style = "a11y-high-contrast-light"
html_theme_options = {
    "navbar_start": [],  # these would repeat the search of the sidebar
    "navbar_center": [],
    "navbar_end": [],
    "navbar_persistent": [],
    "footer_content_items": ["provenance.html"],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
    "show_toc_level": 3,
    "use_fullscreen_button": False,
    "back_to_top_button": False,  # it would cover text on a phone
}

"""Leave out the scripts of sphinx-thebe, which Jupyter Book puts on every page.

No page of this book runs code. And one of the scripts comes twice, so that the browser
reports an error.
"""


def drop_scripts(app, pagename, templatename, context, doctree):
    """Takes the scripts out of the list that the template of a page goes through."""
    context["script_files"] = [
        script
        for script in context["script_files"]
        if "thebe" not in f"{script.filename} {script.attributes}"
    ]


def setup(app):
    """Called by Sphinx, which `_config.yml` tells of this extension."""
    app.connect("html-page-context", drop_scripts, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

"""The web UI that a command would have by hand, for files that add pages to it; it is made and never served.

Without it a listener of ``init`` that says ``environment.web_ui.app.route(...)`` ends a headless Locust at once.
"""


def add(environment):
    """Give the environment a web UI, and those who listen to ``init`` the same one."""
    hook = getattr(getattr(environment, "events", None), "init", None)
    if hook is None or getattr(environment, "web_ui", None) is not None or not hasattr(environment, "create_web_ui"):
        return
    fire = hook.fire

    def fire_with_it(*args, **kwargs):
        if kwargs.get("web_ui") is None and getattr(environment, "web_ui", None) is None:
            kwargs["web_ui"] = environment.create_web_ui("127.0.0.1", 0, delayed_start=True)
        return fire(*args, **kwargs)

    hook.fire = fire_with_it

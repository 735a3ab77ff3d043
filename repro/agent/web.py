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
            kwargs["web_ui"] = _made(environment)
        return fire(*args, **kwargs)

    hook.fire = fire_with_it


def _made(environment):
    try:
        return environment.create_web_ui("127.0.0.1", 0, delayed_start=True)
    except TypeError:  # up to 1.2 it is served at once, here at a port that nobody knows
        return environment.create_web_ui("127.0.0.1", 0)

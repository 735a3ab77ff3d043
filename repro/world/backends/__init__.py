"""The SQS that cells talk to: ``moto`` and ``ministack`` (servers of ours), ``endpoint`` (one that runs), ``aws``.

    backend.start() ─▶ new_queue … probe, about every second … drop_queue ─▶ backend.stop()

A backend never lives in a cell's environment: cells vary botocore and urllib3.
"""

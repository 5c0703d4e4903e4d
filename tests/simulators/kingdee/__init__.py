"""A Kingdee Cloud Galaxy WebAPI server for tests and the demo: the vendor's own client works against it.

`python -m tests.simulators.kingdee --port 8811 [--state FILE]`. The clerk's page is at `/`, the WebAPI below
`/k3cloud/`. `POST /_control/faults {"fault": "drop_after_commit", "services": ["Save"], "times": 1}` makes it
misbehave (`faults.KINDS` lists how); `DELETE /_control/faults` makes it well again.
"""

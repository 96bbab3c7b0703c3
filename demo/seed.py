"""The demo project: made on the first start, its facts written to var/demo.json at every start.

python -m demo.seed      DEMO_ENDPOINT_URL, DEMO_ENDPOINT_KEY; refuses without GATEHOUSE_DEMO=1
"""

import os
import sys

import django


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    django.setup()
    from demo import making  # noqa: PLC0415 -- models can be imported only after setup

    try:
        making.ensure()
    except making.Refused as refused:
        sys.exit(str(refused))


if __name__ == "__main__":
    main()

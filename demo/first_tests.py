"""Tests the connections of the demo that could not be tested while it was made, once the portal answers.

python -m demo.first_tests      says which did not pass, and why; refuses without GATEHOUSE_DEMO=1
"""

import os
import sys

import django


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    django.setup()
    from demo import making  # noqa: PLC0415 -- models can be imported only after setup

    try:
        problems = making.test_what_waited()
    except making.Refused as refused:
        sys.exit(str(refused))
    for sentence in problems:
        print(sentence)


if __name__ == "__main__":
    main()

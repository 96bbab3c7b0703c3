"""Every process asks whether the database is ours and the keys are its (F18)."""

import pytest
from cryptography.fernet import Fernet

from portal import installation
from portal.installation import Installation

pytestmark = pytest.mark.django_db


def test_the_first_start_makes_the_installation_and_later_ones_find_it():
    made = installation.verify()

    assert installation.verify().id == made.id
    assert not made.is_demo
    assert installation.unfit() == ""


def test_other_keys_are_refused_by_name(settings):
    installation.verify()
    settings.GATEHOUSE_KEYS = f"k7:{Fernet.generate_key().decode()}"

    assert "k7" in installation.unfit()


def test_an_id_that_was_changed_is_refused():
    installation.verify()
    Installation.objects.update(id="00000000-0000-0000-0000-000000000000")

    assert "does not match" in installation.unfit()


def test_the_demo_opens_only_as_a_demo(settings):
    settings.DEMO = True
    assert installation.verify().is_demo

    settings.DEMO = False
    assert "demo" in installation.unfit()

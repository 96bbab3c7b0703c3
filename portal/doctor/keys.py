"""The key ring, and whether every key in the database opens with it."""

from collections import Counter
from collections.abc import Iterator

from portal import installation, vault
from portal.audit.models import LogKey
from portal.doctor.findings import Finding, broken, look, ok
from portal.installation import Installation


def ring() -> Finding:
    try:
        held = vault.ring().key_ids
    except vault.KeyUnavailable as error:
        return broken("key ring", str(error), "Bring the ring back from its escrow; a new one opens nothing old.")
    return ok("key ring", f"It holds {', '.join(held)}; {held[0]} wraps what is new.")


def examine() -> Iterator[Finding]:
    yield _installation()
    for what, model in (("data keys", vault.DataKey), ("log keys", LogKey)):
        yield _opens(what, model)


def _installation() -> Finding:
    if not Installation.objects.exists():
        return look(
            "installation",
            "No process has started on this database yet, so it belongs to no installation.",
            "Nothing, if it is new. Otherwise DATABASE_URL leads to the wrong database.",
        )
    try:
        found = installation.verify()
    except (installation.WrongInstallation, vault.VaultError) as error:
        return broken("installation", str(error), "See docs/operations.md, Keys: what a wrong start says.")
    return ok("installation", f"Database and key ring belong together ({found.id}).")


def _opens(what: str, model) -> Finding:
    failed, count = Counter(), 0
    for key_id, wrapped in model.objects.values_list("key_id", "wrapped").iterator():
        count += 1
        try:
            vault.unwrap(key_id, wrapped)
        except vault.KeyUnavailable:
            failed[key_id] += 1
    if not failed:
        return ok(what, f"All {count} can be unwrapped.")
    named = ", ".join(f"{number} wrapped by {key_id}" for key_id, number in sorted(failed.items()))
    return broken(
        what,
        f"{sum(failed.values())} of {count} can't be unwrapped: {named}.",
        "Put that key back into the ring, behind the others, with the value it had.",
    )

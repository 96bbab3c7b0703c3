"""The words in which a connection says whether an account must be the person's own."""

OFF, REPORT, ENFORCE = "off", "report", "enforce"
VERIFIED_EMAIL = "verified_email"

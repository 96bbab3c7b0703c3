"""The product's settings, with what makes tests quick and lets them reach servers on loopback."""

from portal.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
ALLOWED_OUTBOUND_NETWORKS = ["127.0.0.0/8", "[::1]/128"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
ACCOUNT_RATE_LIMITS = False

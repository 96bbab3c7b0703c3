"""What the terminal is spared. Named by LOGGING, so nothing here may need the app registry."""

import logging


class NoTraceOfRefusals(logging.Filter):
    """A refusal (4xx) is an answer, not a failure: one line says it, without fifty of a traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        if getattr(record, "status_code", 500) < 500:
            record.exc_info = record.exc_text = None
        return True

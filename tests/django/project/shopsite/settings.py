"""Settings of a small project; those of its tasks, and its application, are the examples of docs/frameworks.md."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

TASKS: dict[str, Any] = importlib.import_module("shopsite.settings_tasks").TASKS
SECRET_KEY = "not a secret"
USE_TZ = True
ROOT_URLCONF = "shopsite.urls"
INSTALLED_APPS = ["orders"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# Jobs are processes of their own, which use it at the same time.
DATABASES: dict[str, Any] = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": Path(__file__).parents[1] / "db.sqlite3",
        "OPTIONS": {"timeout": 30},
    }
}
# Those of `django.tasks` say in the log of a job what Django hears of it.
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "loggers": {"django.tasks": {"handlers": ["console"], "level": "INFO"}},
}

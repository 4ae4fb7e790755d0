"""Tasks of Django 6 as jobs: `TASKS = {"default": {"BACKEND": "bgjobs.django.Backend"}}`; see docs/django.md.

Django is imported here, and is no dependency of bgjobs: `pip install bgjobs[django]`, or install it yourself.
"""

from bgjobs.django.backend import Backend

__all__ = ["Backend"]

"""The Kickfolio API, version 1: typed coroutines, one an endpoint, and no workflow."""

from pk_upload.kickfolio.client import MEDIA_TYPE, Kickfolio
from pk_upload.kickfolio.requests import Authentication
from pk_upload.kickfolio.resources import App, Version

__all__ = ["MEDIA_TYPE", "App", "Authentication", "Kickfolio", "Version"]

"""The API: links and their clicks as JSON, for programs; see routes.py for the map of its routes."""

from hopline.shortener.api.routes import register_api

__all__ = ["register_api"]

"""The dashboard: links and their clicks on pages, for people; see views.py for the map of its routes."""

from hopline.shortener.dashboard.views import register_dashboard

__all__ = ["register_dashboard"]

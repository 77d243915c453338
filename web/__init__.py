"""The HTTP side: settings, uploads, answers, errors. `app.py` puts them together."""

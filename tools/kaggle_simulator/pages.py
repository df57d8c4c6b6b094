"""Bodies that are no data: login page and storage errors."""

from __future__ import annotations

from starlette.responses import HTMLResponse, Response

_LOGIN_PAGE = """<!DOCTYPE html>
<html lang="en"><head><title>Sign in | Simulated Kaggle</title></head>
<body><form action="/account/login" method="post"><input name="email"><input name="password"></form></body></html>
"""


def login_page(status: int) -> Response:
    """Return the HTML page that people see when they are not signed in."""
    return HTMLResponse(_LOGIN_PAGE, status_code=status)


def storage_error(status: int, code: str, message: str) -> Response:
    """Return an error in the XML form of Google Cloud Storage."""
    body = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return Response(body, status_code=status, media_type="application/xml")

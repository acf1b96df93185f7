"""An httpx transport that hands requests to the plane's views in this process, in the real wire format."""

import io
from http import HTTPStatus

import httpx
from django.core.handlers.wsgi import WSGIRequest
from django.urls import Resolver404, resolve

URLCONF = "neon.local.urls"


class LocalTransport(httpx.BaseTransport):
    """Calls the view that the plane's urlconf names for a request.

    Not ``httpx.WSGITransport`` over the site's own application: its request signals close the caller's database
    connection.
    """

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        body = request.read()
        try:
            view = resolve(request.url.path, urlconf=URLCONF)
        except Resolver404:  # not below the API's path at all
            return httpx.Response(HTTPStatus.NOT_FOUND)
        try:
            answer = view.func(self._as_django(request, body), *view.args, **view.kwargs)
        except ConnectionAbortedError as error:  # a fault that was asked for
            raise httpx.RemoteProtocolError("the connection dropped", request=request) from error
        return httpx.Response(answer.status_code, headers=dict(answer.items()), content=answer.content)

    def _as_django(self, request: httpx.Request, body: bytes) -> WSGIRequest:
        return WSGIRequest(
            {
                **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in request.headers.items()},
                "REQUEST_METHOD": request.method,
                "PATH_INFO": request.url.path.encode().decode("latin-1"),  # as WSGI has it
                "QUERY_STRING": request.url.query.decode("ascii"),
                "CONTENT_LENGTH": str(len(body)),
                "CONTENT_TYPE": request.headers.get("content-type", ""),
                "SERVER_NAME": "neon.local",
                "SERVER_PORT": "80",
                "wsgi.input": io.BytesIO(body),
            }
        )

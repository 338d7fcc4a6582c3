"""What Django's libraries make of views: REST framework, Ninja, Channels. Each in a process of its own, since settings
are made once."""

import subprocess
import sys

HEAD = """
import django
from django.conf import settings
settings.configure(ROOT_URLCONF="__main__", SECRET_KEY="x", INSTALLED_APPS=["rest_framework"])
django.setup()
from django.core.asgi import get_asgi_application
from django.urls import include, path, re_path
from gatepost import APIKeyMiddleware, APIKeys, requires
from gatepost.coverage import coverage_of, needs_text

def told(app):
    for route, needs in coverage_of(APIKeyMiddleware(app, APIKeys("sqlite://"))).routes:
        print(route.subject, "-", needs_text(route, needs), "-", route.template.sample)

"""

REST = """
from rest_framework import routers, viewsets
from rest_framework.decorators import action, api_view
from rest_framework.views import APIView

class Things(viewsets.ViewSet):
    @requires("OBJECTS_LIST")
    def list(self, request): ...
    def create(self, request): ...
    @action(detail=True, methods=["post"])
    @requires("FILE_MOVE")
    def move(self, request, pk=None): ...

class One(APIView):
    @requires("FILE_UPLOAD")
    def put(self, request, pk): ...

@api_view(["GET", "POST"])
@requires("OBJECTS_FETCH")
def both(request): ...

@requires("FILE_DELETE")
@api_view(["DELETE"])
def outside(request): ...

router = routers.SimpleRouter()
router.register("things", Things, basename="thing")
urlpatterns = [
    path("one/<int:pk>", One.as_view()), path("both", both), path("outside", outside),
    path("api/", include(router.urls)), re_path(r"^old/(?P<x>[a-z]+)$", both),
]
told(get_asgi_application())
"""

NINJA = """
from ninja import NinjaAPI, Router

api, router = NinjaAPI(openapi_url=None), Router()

@api.get("/things/{int:number}")
@requires("OBJECTS_LIST")
def things(request, number: int): ...

@api.post("/things/{int:number}")
async def add(request, number: int): ...

@requires("FILE_MOVE")
@router.put("/deep")
def above(request): ...

api.add_router("/in", router)
urlpatterns = [path("api/", api.urls)]
told(get_asgi_application())
print([gap.remedy for gap in coverage_of(get_asgi_application()).gaps if gap.code == "guard_above"])
"""

CHANNELS = """
from channels.auth import AuthMiddlewareStack
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter

class Feed(AsyncJsonWebsocketConsumer):
    @requires("OBJECTS_LIST")
    async def connect(self): ...

class Open(AsyncJsonWebsocketConsumer):
    @requires("FILE_MOVE")
    async def receive_json(self, content): ...

def page(request): ...

urlpatterns = [path("page", page)]
inner = URLRouter([path("open", Open.as_asgi())])
sockets = URLRouter([path("feed/<int:number>", Feed.as_asgi()), path("in/", inner)])
told(ProtocolTypeRouter({"http": get_asgi_application(), "websocket": AuthMiddlewareStack(sockets)}))
"""


def lines(code: str) -> list[str]:
    """What it prints."""
    done = subprocess.run([sys.executable, "-c", HEAD + code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_views_of_djangos_rest_framework_are_told_by_method() -> None:
    assert lines(REST) == [
        "PUT /one/<int:pk> - FILE_UPLOAD - /one/1",
        "GET /both - OBJECTS_FETCH - /both",
        "POST /both - OBJECTS_FETCH - /both",
        "DELETE /outside - FILE_DELETE - /outside",
        "GET /api/^things/$ - OBJECTS_LIST - /api/things/",
        "POST /api/^things/$ - a key - /api/things/",
        "POST /api/^things/(?P<pk>[^/.]+)/move/$ - FILE_MOVE - /api/things/x/move/",
        "GET /^old/(?P<x>[a-z]+)$ - OBJECTS_FETCH - /old/x",
        "POST /^old/(?P<x>[a-z]+)$ - OBJECTS_FETCH - /old/x",
    ]


EXPRESSIONS = """
from django.http import HttpResponse
from django.urls import clear_url_caches
from django.utils.functional import lazystr
from starlette.testclient import TestClient

async def view(request, **named):
    return HttpResponse()

for regex, below, path in CASES:
    regex = lazystr(regex[5:]) if regex.startswith("lazy ") else regex
    urlpatterns = [re_path(regex, include([re_path(below, view)]) if below else view)]
    clear_url_caches()
    app = APIKeyMiddleware(get_asgi_application(), APIKeys("sqlite://"), exempt=[path])
    (needs,) = [needs.name for _, needs in coverage_of(app).routes]
    print(TestClient(app, headers={"host": "localhost"}).get(path).status_code, needs)
"""


def test_an_exempt_path_opens_a_regular_expression_that_takes_it_or_that_is_not_read_and_no_other() -> None:
    cases = {
        (r"^files/$", "", "/files/"): "200 EXEMPT",
        (r"^files/$", "", "/schema"): "404 KEY",
        (r"^files\.(?P<format>[a-z0-9]+)/?$", "", "/files.json"): "200 PARTLY",
        (r"^files\.(?P<format>[a-z0-9]+)/?$", "", "/filesxjson"): "404 KEY",
        (r"^files/(?P<pk>[^/.]+)/wipe/$", "", "/files/1/wipe/"): "200 PARTLY",
        (r"^files/(?P<pk>[^/.]+)/wipe/$", "", "/files/a/b/wipe/"): "404 KEY",
        (r"^files/(?P<pk>\d{2})$", "", "/files/12"): "200 PARTLY",
        (r"^files/(?P<pk>[^.]+)$", "", "/files/a/b"): "200 PARTLY",
        (r"^v1/", r"^files/?$", "/v1/files"): "200 PARTLY",
        (r"^v1/", r"^files/?$", "/files"): "404 KEY",
        (r"^v(?P<v>[0-9]+)/", r"^(?P<v>[a-z]+)$", "/v1/x"): "200 PARTLY",
        # not read
        (r"^files", "", "/files/deep"): "200 PARTLY",
        (r"files/$", "", "/files/"): "200 PARTLY",
        (r"^files/$|^schema$", "", "/schema"): "200 PARTLY",
        (r"^(?i:FILES)$", "", "/files"): "200 PARTLY",
        (r"^files*$", "", "/file"): "200 PARTLY",
        (r"^a{2}$", "", "/aa"): "200 PARTLY",
        (r"^files\w$", "", "/filesx"): "200 PARTLY",
        (r"^(?P<x>[a-z]+)?$", "", "/"): "200 PARTLY",
        (r"^v1/$", r"^files$", "/v1/files"): "404 PARTLY",
        ("lazy ^files/$", "", "/files/"): "200 PARTLY",
    }
    assert lines(f"CASES = {[*cases]!r}" + EXPRESSIONS) == [*cases.values()]


def test_operations_of_ninja_are_told_and_guards_above_them_found() -> None:
    *routes, above = lines(NINJA)
    assert [each for each in routes if "/api/ -" not in each] == [  # the root of Ninja's own
        "GET /api/things/<int:number> - OBJECTS_LIST - /api/things/1",
        "POST /api/things/<int:number> - a key - /api/things/1",
        "PUT /api/in/deep - a key - /api/in/deep",
    ]
    assert "move @requires below the framework's decorator" in above


def test_consumers_of_channels_are_told_below_routers_within_each_other() -> None:
    assert lines(CHANNELS) == [
        "ANY /page - a key - /page",
        "WS /feed/<int:number> - OBJECTS_LIST - /feed/1",
        "WS /in/open - a key - /in/open",
    ]

"""What a request touches, where a key is limited to resources."""

from gatepost.asgi.touched.touched import On as On
from gatepost.asgi.touched.touched import Touched as Touched

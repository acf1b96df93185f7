"""The WSGI application that granian serves."""

import gc
import io
import os

from django.core.management import call_command
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
application = get_wsgi_application()
# Management commands check the settings by themselves; a web server has to be told.
call_command("check", stdout=io.StringIO())
# What is loaded by now stays. To go through all of it for garbage would stop every thread for a twentieth of a second.
gc.freeze()

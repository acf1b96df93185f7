"""What the documents list is what the code has."""

import re
from pathlib import Path

from django.conf import settings
from django.core.management import get_commands
from django.urls import URLPattern, URLResolver, get_resolver

README = (settings.BASE_DIR / "README.md").read_text()
NEON_API = (settings.BASE_DIR / "docs" / "neon-api.md").read_text()
SETTINGS = (settings.BASE_DIR / "config" / "settings.py").read_text()
EXAMPLE = (settings.BASE_DIR / ".env.example").read_text()


def variables_of_the_settings() -> set[str]:
    read = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', SETTINGS))
    for provider in re.search(r"SIGN_IN_HOSTS = \{(.*)\}", SETTINGS)[1].split(","):
        name = provider.split('"')[1].upper()
        read |= {f"{name}_CLIENT_ID", f"{name}_SECRET"}
    return read


def test_readme_lists_every_variable_and_no_other():
    table = README.split("## Variables")[1].split("## Commands")[0]
    listed = {
        name
        for row in table.splitlines()
        if row.startswith("| `")
        for name in re.findall(r"`([A-Z_]+)`", row.split("|")[1])
    }
    assert listed == variables_of_the_settings()


def test_env_example_lists_every_variable_and_no_other():
    assert set(re.findall(r"^#([A-Z_]+)=", EXAMPLE, re.MULTILINE)) == variables_of_the_settings()


def test_readme_lists_every_command_of_the_site():
    table = README.split("## Commands")[1].split("## In production")[0]
    listed = set(re.findall(r"^\| `manage.py (\w+)`", table, re.MULTILINE))
    ours = {name for name, app in get_commands().items() if app in {"checkpoints", "contacts", "neon.local"}}
    assert listed == ours


def test_neon_api_lists_every_served_method_and_path():
    listed = set(re.findall(r"^\| ([A-Z]+) \| `(/\S+)` \|", NEON_API, re.MULTILINE))
    assert listed == set(served())


def served(patterns=None, prefix=""):
    for pattern in patterns if patterns is not None else get_resolver("neon.local.urls").url_patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from served(pattern.url_patterns, path)
        elif isinstance(pattern, URLPattern) and hasattr(pattern.callback, "methods"):
            for method in pattern.callback.methods:
                yield method, re.sub(r"<(\w+)>", r"{\1}", path.removeprefix("api/v2"))


def test_readme_names_every_folder_of_code():
    listed = set(re.findall(r"^\| `(\w+)/` \|", README, re.MULTILINE))
    folders = {path.parent.name for path in Path(settings.BASE_DIR).glob("*/__init__.py")} | {"templates", "docs"}
    assert listed == folders


def test_documents_link_to_files_that_exist():
    for document in [settings.BASE_DIR / "README.md", *(settings.BASE_DIR / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"

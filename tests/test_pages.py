"""The documentation as a whole: every link leads somewhere, and every picture is there."""

import json
from pathlib import Path
import re
from typing import Final
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from custom_components.plex_butler.runs import rules
from custom_components.plex_butler.runs.tasks import KNOWN_TASKS
from tests.pages import DOCS, PAGES, anchors, headings, images, links, prose
from tests.repository import INTEGRATION, ROOT, load, repository_files

REPOSITORY: Final[str] = load("manifest.json")["documentation"]
RAW: Final = REPOSITORY.replace("https://github.com/", "https://raw.githubusercontent.com/")
BLUEPRINTS: Final = "blueprints/automation/plex_butler"
PICTURES: Final = ROOT / ".github" / "images"
WHAT_IS_KNOWN: Final = ROOT / "docs" / "what-is-known.md"


def on_github(rest: str) -> Path | None:
    """Check the rest of an address of this repository; return the file to which it leads."""
    path, _, query = rest.partition("?")
    if query:
        assert path == "issues/new", rest
        [template] = parse_qs(query)["template"]
        return ROOT / ".github" / "ISSUE_TEMPLATE" / template
    if path.startswith("blob/main/"):
        return ROOT / path.removeprefix("blob/main/")
    pages = r"security/advisories/new|actions/workflows/\w+\.yml(/badge\.svg)?|issues"
    assert re.fullmatch(rf"{pages}|(compare|releases)/\S+", path), rest
    if match := re.match(r"actions/workflows/(\w+\.yml)", path):
        return ROOT / ".github" / "workflows" / match[1]
    return None


def target(page: Path, link: str) -> tuple[Path | None, str]:
    """Return the file and the anchor to which a link leads; no file if it is not one of ours."""
    address, _, anchor = link.partition("#")
    if not address:
        return page, anchor
    if address == REPOSITORY:
        assert anchor in ("", "readme"), link
        return ROOT / "README.md", ""
    if address.startswith(f"{REPOSITORY}/"):
        return on_github(address.removeprefix(f"{REPOSITORY}/")), anchor
    if address.startswith(f"{RAW}/main/"):
        return ROOT / address.removeprefix(f"{RAW}/main/"), anchor
    if address.startswith("https://my.home-assistant.io/redirect/blueprint_import/"):
        return target(page, parse_qs(urlsplit(address).query)["blueprint_url"][0])
    if re.match(r"[a-z]+:", address):
        assert address.startswith("https://"), link
        return None, ""
    # GitHub shows a page of the repository at /blob/main/, two levels below its other pages.
    up = "../" * (2 + len(page.relative_to(ROOT).parts) - 1)
    if address.startswith(up):
        return on_github(address.removeprefix(up)), anchor
    return (page.parent / address).resolve(), anchor


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    """The file, the heading or the form is there, or the page is one of those that GitHub has."""
    for link in links(page):
        file, anchor = target(page, link)
        if file is None:
            continue
        assert file.is_file(), link
        assert file.is_relative_to(ROOT), link
        if anchor:
            assert file.suffix == ".md", link
            assert anchor in anchors(file), link


@pytest.mark.parametrize(
    "file",
    [
        *sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")),
        INTEGRATION / "manifest.json",
        INTEGRATION / "translations" / "en.json",
        INTEGRATION / "config_flow.py",
    ],
    ids=lambda path: path.name,
)
def test_addresses_in_forms_and_texts_lead_somewhere(file: Path) -> None:
    """What users are sent to from elsewhere is there too."""
    for address in re.findall(r"https://[^\s\"'<>)]+", file.read_text()):
        path, anchor = target(file, address)
        assert path is None or path.is_file(), address
        assert not anchor or (path and anchor in anchors(path)), address


def test_pages_that_code_tells_of_are_there() -> None:
    """A page that is named in a docstring, a workflow or a script exists."""
    for path in repository_files():
        if path.suffix in {".py", ".yaml", ".yml", ".toml", ".json"}:
            for name in re.findall(r"\bdocs/[\w-]+\.md", path.read_text()):
                assert (ROOT / name).is_file(), (path, name)


def test_every_page_is_found_from_the_readme() -> None:
    listed = {target(DOCS[0], link)[0] for link in links(DOCS[0])}
    assert set(DOCS[1:]) <= listed


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_each_page_begins_with_its_title_and_what_it_is_for(page: Path) -> None:
    titles = [heading for heading in headings(page) if heading.startswith("# ")]
    assert len(titles) == 1
    text = prose(page)
    assert text.startswith((titles[0], "<p align=")), "there is something before the title"
    if page.relative_to(ROOT).parts[0] == "docs":
        assert re.match(r"# .+\n\nThis page ", text)


def test_every_picture_is_there_and_says_what_it_shows() -> None:
    """Each is shown on some page, with a text for those who do not see it."""
    shown = set()
    for page in PAGES:
        assert len([*images(page)]) == len(re.findall(r"!\[|<img ", prose(page))), page
        for address, alt in images(page):
            assert len(alt) >= 5, address
            file, _ = target(page, address)
            if file and file.suffix == ".png":
                assert file.read_bytes().startswith(b"\x89PNG"), address
                shown.add(file)
    assert shown == set(PICTURES.iterdir())
    assert len(shown) == 6


def test_readme_names_the_command_that_is_run_for_each_change() -> None:
    commands = re.findall(r"`(scripts/\w+)`", (ROOT / "README.md").read_text())
    assert commands == ["scripts/demo", "scripts/test"]
    assert all((ROOT / command).is_file() for command in commands)
    assert "../scripts/test" in (ROOT / ".ci" / "run").read_text()


def test_readme_is_short() -> None:
    """Somebody decides within a minute."""
    assert len(prose(DOCS[0]).split()) <= 1600


def test_table_of_tasks_is_that_of_the_code() -> None:
    """Each task is told of once, with the activities that show it."""
    names = load("translations/en.json")["entity"]["switch"]
    text = prose(WHAT_IS_KNOWN).partition("## Task by task")[2].partition("\n## ")[0]
    rows = dict(
        re.findall(r"^\| ([A-Z][\w ]+?)(?: \(users too\))? \| (`.+`) \|$", text, re.MULTILINE)
    )
    [others] = re.findall(
        r"^All others, of which no activity of their own is known: (.+)$", text, re.MULTILINE
    )
    silent = set(re.findall(r"\*(.+?)\*", others))
    for task in KNOWN_TASKS:
        name = names[task.key]["name"]
        types = set(re.findall(r"`(.+?)`", rows.pop(name, "")))
        assert types == task.types, name
        assert (f"| {name} (users too) |" in text) is bool(task.ambiguous_types)
        if not types and not task.keeps_server_busy:
            silent.remove(name)
    assert not rows
    assert not silent
    [busy] = [names[task.key]["name"] for task in KNOWN_TASKS if task.keeps_server_busy]
    assert f"| *{busy}* |" in text
    assert (
        f"The {['no', 'eight'][sum(bool(t.activity_type) for t in KNOWN_TASKS) == 8]} with" in text
    )


def test_rules_quote_the_tables() -> None:
    """What the docstrings of the rules quote stands in the documentation."""
    text = re.sub(r"\s+", " ", prose(WHAT_IS_KNOWN))
    functions = [value for value in vars(rules).values() if callable(value)]
    docs = [rules.__doc__, *(f.__doc__ for f in functions if f.__module__ == rules.__name__)]
    quotes = [
        re.sub(r"\s+", " ", quote)
        for each in docs
        for quote in re.findall(r'"([^"]+)"', each or "")
    ]
    assert len(quotes) > 15
    actions = prose(ROOT / "docs" / "actions.md")
    assert not [quote for quote in quotes if quote not in text and quote not in actions]


def test_no_heading_skips_a_level() -> None:
    for page in PAGES:
        depth = 0
        for heading in headings(page):
            level = len(heading.partition(" ")[0])
            assert level <= depth + 1, (page, heading)
            depth = level


def test_blueprints_are_offered() -> None:
    """The README has a badge for each blueprint, and the page of blueprints tells of it."""
    readme, text = links(DOCS[0]), prose(ROOT / "docs" / "automations.md")
    offered = [file for link in readme if (file := target(DOCS[0], link)[0])]
    blueprints = set((ROOT / BLUEPRINTS).glob("*.yaml"))
    badges = [file for file in offered if file.parent == ROOT / BLUEPRINTS]
    assert {*badges} == blueprints
    assert len(badges) == len({*badges})
    for file in blueprints:
        blueprint = yaml.safe_load(file.read_text().replace("!input", ""))["blueprint"]
        name = blueprint["name"].removeprefix("Plex Butler: ")
        assert f"| **{name[0].upper()}{name[1:]}** |" in text
        assert blueprint["source_url"] == f"{REPOSITORY}/blob/main/{file.relative_to(ROOT)}"


def test_messages_are_quoted_as_they_are_shown() -> None:
    """Whoever looks for what a dialog or a repair says finds it."""
    english = load("translations/en.json")
    shown = re.sub(r'"\{\w+}":? ?', "", json.dumps(english["config"], ensure_ascii=False)).lower()
    page = (ROOT / "docs/troubleshooting.md").read_text()
    adding = page.partition("## While you add or change a server\n")[2].partition("\n## ")[0]
    messages = re.findall(r"\*\*([A-Z][^*>]+?)\.?\*\*(?= or| [A-Z])", adding)
    assert len(messages) > 12
    assert not [message for message in messages if message.lower() not in shown]
    repairs = page.partition("## Repairs\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([A-Z][^|]+) \| ", repairs, re.MULTILINE)[1:]
    titles = [issue["title"] for issue in english["issues"].values()]
    assert len(rows) == len(titles)
    for title in titles:
        words = set(re.findall(r"\w+", re.sub(r"\{\w+}", "", title).lower()))
        assert [
            row for row in rows if words <= {*re.findall(r"\w+", row.lower()), "of", "instead"}
        ], title

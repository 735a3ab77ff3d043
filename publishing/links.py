"""Whether every link of a built site leads to a file of it, and no page asks another host for anything.

python publishing/links.py SITE
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}


class Page(HTMLParser):
    """The links of one page, and what it loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note where it leads."""
        found = dict(attrs)
        if tag == "a" and found.get("href"):
            self.links.append(found["href"] or "")
        if found.get("rel") not in {"canonical", "prev", "next"} and (target := found.get(LOADED.get(tag, ""))):
            self.loads.append(target)


def broken(site: Path) -> list[str]:
    """A sentence for each link that leads nowhere, and for each page that loads from elsewhere."""
    found = []
    for path in sorted(site.rglob("*.html")):
        page, name = Page(path.read_text("utf-8")), path.relative_to(site)
        found += [f"{name} loads {target} from another host" for target in page.loads if urlsplit(target).netloc]
        found += [
            f"{name} links to {link}, which is not there" for link in page.links if not _is_there(link, path, site)
        ]
    return found


def _is_there(link: str, page: Path, site: Path) -> bool:
    parts = urlsplit(link)
    if parts.scheme or parts.netloc or not parts.path:
        return True
    target = (site if parts.path.startswith("/") else page.parent) / unquote(parts.path).lstrip("/")
    return target.is_file() or (target / "index.html").is_file()


if __name__ == "__main__":
    said = broken(Path(sys.argv[1]))
    print("\n".join(said), file=sys.stderr)
    sys.exit(1 if said else 0)

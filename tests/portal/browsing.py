"""A browser without scripts, over HTTP: it reads the forms of a page, fills them in and presses their buttons."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import httpx2

from tests.portal.looking import page_faults

NAVIGATION = {"Accept": "text/html,application/xhtml+xml", "Sec-Fetch-Site": "same-origin"}
_VOID = {"input", "meta", "link", "br", "img", "hr"}


@dataclass
class Control:
    name: str
    kind: str
    value: str
    checked: bool = False
    text: str = ""
    action: str = ""  # a button's own


@dataclass
class FormOnPage:
    action: str
    id: str
    multipart: bool
    method: str
    controls: list[Control] = field(default_factory=list)


class _Reader(HTMLParser):
    """Forms with their controls (also those outside that name the form), ids, links and texts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.forms: list[FormOnPage] = []
        self.links: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.unclosed: list[str] = []
        self._elsewhere: list[tuple[str, Control]] = []
        self._form: FormOnPage | None = None
        self._button: Control | None = None
        self._text: Control | None = None
        self._link: list[str] | None = None
        self._first_option = False
        self.feed(html)
        for form_id, control in self._elsewhere:
            next(form for form in self.forms if form.id == form_id).controls.append(control)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag not in _VOID:
            self.open.append(tag)
        if tag == "form":
            assert self._form is None, "forms cannot be nested"
            multipart = given.get("enctype") == "multipart/form-data"
            self._form = FormOnPage(
                given.get("action", ""), given.get("id", ""), multipart, given.get("method", "get").lower()
            )
            self.forms.append(self._form)
        elif tag in ("input", "button"):
            kind = "submit" if tag == "button" else given.get("type", "text")
            control = Control(given.get("name", ""), kind, given.get("value", ""), "checked" in given)
            if tag == "button":
                self._button = control
                control.action = given.get("formaction", "")
            if "form" in given:
                self._elsewhere.append((given["form"], control))
            elif self._form is not None:
                self._form.controls.append(control)
        elif tag == "textarea" and self._form is not None:
            self._text = Control(given["name"], "textarea", "")
            self._form.controls.append(self._text)
        elif tag == "select" and self._form is not None:
            self._form.controls.append(Control(given["name"], "select", ""))
            self._first_option = True
        elif tag == "option" and self._form is not None and (self._first_option or "selected" in given):
            self._form.controls[-1].value = given.get("value", "")
            self._first_option = False
        elif tag == "a":
            self._link = [given.get("href", "")]

    def handle_endtag(self, tag: str) -> None:
        if tag in _VOID or not self.open or self.open.pop() != tag:
            self.unclosed.append(tag)
        if tag == "form":
            self._form = None
        elif tag == "button":
            self._button = None
        elif tag == "textarea" and self._text is not None:
            self._text.value = self._text.value.removeprefix("\n")  # as browsers do
            self._text = None
        elif tag == "a" and self._link is not None:
            self.links.append((_squeezed("".join(self._link[1:])), self._link[0]))
            self._link = None

    def handle_data(self, data: str) -> None:
        if self._button is not None:
            self._button.text += data
        if self._text is not None:
            self._text.value += data
        if self._link is not None:
            self._link.append(data)


class Browsing:
    """One person's way through the pages. `page` is the last answer, redirects followed."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self.http = http
        self.page: httpx2.Response
        self._filled: dict[str, str] = {}

    async def open(self, address: str) -> str:
        self.page = await self.http.get(address, headers=NAVIGATION, follow_redirects=True)
        self._filled = {}
        self._check()
        return self.page.text

    async def follow(self, text: str) -> str:
        """The first link with these words."""
        for words, address in _Reader(self.page.text).links:
            if _squeezed(text) in words:
                return await self.open(urljoin(str(self.page.url), address))
        raise AssertionError(f"no link « {text} » in {[words for words, _ in _Reader(self.page.text).links]}")

    def fill(self, answers: dict[str, str]) -> Browsing:
        """What the page asks of these; a name may stand for a dependant whose key the page chose (`*.kind`)."""
        names = {c.name for form in _Reader(self.page.text).forms for c in form.controls}
        for path, value in answers.items():
            for name in names:
                if name == path or re.fullmatch(re.escape(path).replace(r"\*", r"[^.]+"), name):
                    self._filled[name] = value
        return self

    async def press(self, text: str, file: tuple[str, bytes] | None = None, form: int = 0) -> str:
        """The button with these words, of the form-th form that has one."""
        found = [
            (one, button)
            for one in _Reader(self.page.text).forms
            for button in one.controls
            if button.kind == "submit" and _squeezed(text) in _squeezed(button.text)
        ]
        assert found, f"no button « {text} » on {self.page.url}"
        chosen, button = found[form]
        data = self._data(chosen)
        if button.name:
            data[button.name] = button.value
        address = urljoin(str(self.page.url), button.action or chosen.action)
        if chosen.multipart:
            files = {"file": file or ("", b"")}
            self.page = await self.http.post(address, data=data, files=files, headers=NAVIGATION, follow_redirects=True)
        elif chosen.method == "get":
            self.page = await self.http.get(address, params=data, headers=NAVIGATION, follow_redirects=True)
        else:
            self.page = await self.http.post(address, data=data, headers=NAVIGATION, follow_redirects=True)
        self._filled = {}
        self._check()
        return self.page.text

    def _data(self, form: FormOnPage) -> dict[str, str]:
        data = {}
        for control in form.controls:
            filled = self._filled.get(control.name)
            if control.kind in ("radio", "checkbox"):
                checked = control.checked if filled is None else control.value == filled
                if checked:
                    data[control.name] = control.value
            elif control.kind not in ("submit", "file"):
                data[control.name] = control.value if filled is None else filled
        return data

    def value(self, name: str) -> str | None:
        """What a field of the page holds."""
        for form in _Reader(self.page.text).forms:
            for control in form.controls:
                if control.name == name and (control.kind not in ("radio", "checkbox") or control.checked):
                    return control.value
        return None

    @property
    def path(self) -> str:
        return urlsplit(str(self.page.url)).path

    @property
    def title(self) -> str:
        found = re.search(r"<title>(.*?)</title>", self.page.text, re.DOTALL)
        assert found
        return found.group(1)

    def _check(self) -> None:
        """What must hold of every page: frame, policy, and HTML that is whole."""
        assert self.page.status_code != 500, self.page.text
        policy = self.page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        text = self.page.text
        read = _Reader(text)
        for form in read.forms:
            assert form.method == "get" or any(control.name == "csrf" and control.value for control in form.controls), (
                form.action
            )
        assert not read.unclosed
        assert not read.open
        assert not (wrong := page_faults(text)), (str(self.page.url), wrong)


def _squeezed(text: str) -> str:
    return " ".join(text.split())

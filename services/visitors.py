"""From where a request comes: what sign-in, limits and the audit log go by."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address, ip_network


@dataclass(frozen=True)
class Visitor:
    """`network`: the address, IPv4 as /32 and IPv6 as /64 (security.md A-12); `browser`: « Firefox sur Windows »."""

    network: str
    browser: str
    request_id: str

    @property
    def neighbourhood(self) -> str:
        """The /24 or /64 around it (security.md A-10)."""
        network = ip_network(self.network)
        return str(network.supernet(new_prefix=24)) if network.version == 4 else str(network)


@lru_cache(1000)
def network_of(address: str) -> str:
    """The network that stands for an address. IPv4 written as IPv6 is IPv4. Raises ValueError."""
    ip = ip_address(address.partition("%")[0])
    if ip.version == 6 and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return str(ip_network((ip, 32 if ip.version == 4 else 64), strict=False))


_BROWSERS = (  # the first that is named: most name others, which they pretend to be
    ("Edge", ("Edg/", "EdgA/", "EdgiOS/", "Edge/")),
    ("Opera", ("OPR/", "OPT/", "Opera")),
    ("Samsung Internet", ("SamsungBrowser/",)),
    ("Firefox", ("Firefox/", "FxiOS/")),
    ("Chrome", ("Chrome/", "CriOS/")),
    ("Safari", ("Safari/",)),
)
_SYSTEMS = (
    ("iPad", ("iPad",)),
    ("iPhone", ("iPhone",)),
    ("Android", ("Android",)),
    ("ChromeOS", ("CrOS",)),
    ("Windows", ("Windows",)),
    ("Mac", ("Macintosh",)),
    ("Linux", ("Linux",)),
)
_NO_BROWSER = "un logiciel"


@lru_cache(200)
def browser_of(user_agent: str) -> str:
    """« Firefox sur Windows », « Safari sur iPhone », « un logiciel »: what a person recognises, in 40 characters."""
    browser = _named(_BROWSERS, user_agent)
    if browser is None:
        return _NO_BROWSER
    system = _named(_SYSTEMS, user_agent)
    return f"{browser} sur {system}" if system else browser


def _named(table: tuple[tuple[str, tuple[str, ...]], ...], user_agent: str) -> str | None:
    return next((name for name, marks in table if any(mark in user_agent for mark in marks)), None)

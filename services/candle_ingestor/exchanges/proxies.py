"""Proxies that exchanges are asked through, as the environment names them."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from candle_ingestor.errors import ConfigurationError

_SCHEMES = ("http", "https")


@dataclass(frozen=True)
class Proxies:
    """The proxy by an address's scheme, and the hosts that are asked directly.

    A machine's own addresses are always asked directly.

    Attributes:
        by_scheme: `http` and `https`, each to a proxy's URL; it may hold a login.
        excepted: hosts and domains, separated by commas; `*` is all.
    """

    by_scheme: Mapping[str, str] = field(default_factory=dict, repr=False)
    excepted: str = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Proxies:
        """$HTTPS_PROXY, $HTTP_PROXY and $NO_PROXY, also in small letters, which win.

        Raises:
            ConfigurationError: if one is no address of a proxy. The message does not repeat it.
        """
        found = {}
        for scheme in _SCHEMES:
            name = f"{scheme}_proxy"
            text = environment.get(name) or environment.get(name.upper())
            if text:
                found[scheme] = _proxy_url(text.strip(), name.upper())
        excepted = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
        return cls(found, excepted)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The passwords in the proxies' URLs."""
        passwords = (urlsplit(url).password for url in self.by_scheme.values())
        return tuple(unquote(password) for password in passwords if password)

    def proxy_for(self, url: str) -> str | None:
        """The proxy to ask for this address; None is to ask directly."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        proxy = self.by_scheme.get(parts.scheme)
        if proxy is None or _is_of_this_machine(host):
            return None
        return None if self._is_excepted(host) else proxy

    def _is_excepted(self, host: str) -> bool:
        """Whether the list names the host, a domain above it, or all hosts."""
        for entry in self.excepted.split(","):
            name = entry.strip().lower().removeprefix("*").lstrip(".")
            if entry.strip() == "*" or (name and (host == name or host.endswith(f".{name}"))):
                return True
        return False

    def shown(self) -> str | None:
        """What a person is told of them, without logins; None where there is no proxy."""
        if not self.by_scheme:
            return None
        hosts = {url: urlsplit(url).netloc.rpartition("@")[2] for url in self.by_scheme.values()}
        named = [f"{hosts[url]} for {scheme}" for scheme, url in self.by_scheme.items()]
        return ", ".join(named) + (f"; not for {self.excepted}" if self.excepted else "")


def _proxy_url(text: str, name: str) -> str:
    url = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(url)
        is_proxy = parts.scheme in _SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_proxy = False
    if not is_proxy:
        raise ConfigurationError(
            f"${name} is no address of a proxy; give it as http://HOST:PORT, or leave it unset"
        )
    return url


def _is_of_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

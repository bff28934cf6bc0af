"""One decorator and one lookup for everything an experiment file can name."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from types import ModuleType
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from bench.messages import nearest, one_line

STRICT = ConfigDict(extra="forbid", frozen=True, strict=True, protected_namespaces=(), ser_json_inf_nan="constants", allow_inf_nan=False)
Extended = Annotated[float, Field(allow_inf_nan=True)]
"""A number of an experiment file that may be infinite on purpose; every other one is finite."""

_own: ContextVar[bool] = ContextVar("own", default=False)
"""Whether an experiment of the user's own is being read, which may import what it names."""
_trusted: ContextVar[frozenset[str] | None] = ContextVar("trusted", default=None)
"""While a folder is being read: the modules that the user trusts. None: no folder is being read."""
_admitted: set[str] = set()
"""Foreign names, `module:attribute`, whose import was allowed once in this process."""


def module_of(name: str) -> str:
    """The module of a foreign name, `module:attribute`; empty for the name of a piece of the package."""
    return name.partition(":")[0] if ":" in name else ""


@contextmanager
def importing() -> Iterator[None]:
    """Context in which an experiment of the user's own is read: foreign names are imported, unless a folder is being read."""
    token = _own.set(True)
    try:
        yield
    finally:
        _own.reset(token)


@contextmanager
def trusting(modules: Iterable[str]) -> Iterator[None]:
    """Context in which a results folder is read: foreign names are imported from these modules alone."""
    token = _trusted.set(frozenset(modules))
    try:
        yield
    finally:
        _trusted.reset(token)


def is_opaque(name: str) -> bool:
    """Whether a name of a folder that is being read stands for code that the user does not trust."""
    trusted = _trusted.get()
    return ":" in name and trusted is not None and module_of(name) not in trusted


def is_reading() -> bool:
    """Whether a results folder is being read: its experiment is data, and nothing that it describes is made."""
    return _trusted.get() is not None


def untrusted(kind: str, name: str) -> ValueError:
    """The error that stops what would need a piece whose module nobody trusts."""
    module = module_of(name)
    return ValueError(
        f"{kind} '{name}': a results folder names the module '{module}', which is imported only if you trust it: --trust {module}"
    )


@dataclass(frozen=True)
class Entry:
    """A registered function or class, its options (keyword arguments) and its fixed traits."""

    name: str
    target: Callable[..., Any]
    options: type[BaseModel]
    traits: dict[str, Any] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """First line of the docstring."""
        return (inspect.getdoc(self.target) or "").partition("\n")[0]

    def bind(self, options: dict[str, Any]) -> Callable[..., Any]:
        """The target with its options filled in; only the supplied arguments remain open."""
        return partial(self.target, **options)


class Registry:
    """Names of one kind (`initializer`, `model`, ...), filled by using the registry as a decorator.

    `supplied` are the arguments that the suite passes; all other arguments of a registered function
    or class are its options, with their annotations as validation and their defaults as defaults.
    """

    def __init__(self, kind: str, supplied: Iterable[str] = ()) -> None:
        self.kind = kind
        self._supplied = frozenset(supplied)
        self._entries: dict[str, Entry] = {}

    def __call__(self, target: Callable[..., Any] | None = None, /, **traits: Any) -> Any:
        """Register under the target's own name, as `@registry` or `@registry(trait=...)`."""
        if target is None:
            return partial(self, **traits)
        name = target.__name__.lower()
        if name in self._entries:
            raise ValueError(f"{self.kind} '{name}' is registered twice")
        self._entries[name] = self._entry(name, target, traits)
        return target

    def __getitem__(self, name: str) -> Entry:
        """Look a name up; `package.module:function` imports a user's own, where that is allowed: see `importing` and `trusting`."""
        if name in self._entries:
            return self._entries[name]
        if ":" in name:
            allowed = not is_opaque(name) if is_reading() else _own.get() or name in _admitted
            if not allowed:
                raise untrusted(self.kind, name)
            _admitted.add(name)
            return self._imported(name)
        raise ValueError(f"unknown {self.kind} '{one_line(name, 100)}'; {nearest(name, self._entries)}, or package.module:name of your own")

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._entries))

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def _entry(self, name: str, target: Callable[..., Any], traits: dict[str, Any]) -> Entry:
        return Entry(name, target, self._options(name, target), traits)

    def _imported(self, name: str) -> Entry:
        module_name, _, attribute = name.partition(":")
        try:
            target = getattr(importlib.import_module(module_name), attribute)
        except (ImportError, AttributeError, ValueError, TypeError) as error:
            # Of a relative name like `.x:y` Python says that with a TypeError.
            raise ValueError(f"{self.kind} '{one_line(name, 100)}' cannot be imported: {one_line(error)}") from error
        if not callable(target):
            raise ValueError(f"{self.kind} '{one_line(name, 100)}' is not a function or class")
        return self._entry(name, target, dict(getattr(target, "traits", {})))

    def _options(self, name: str, target: Callable[..., Any]) -> type[BaseModel]:
        # The metaclass of flax modules hides the constructor's signature behind its own.
        function: Any = target.__init__ if inspect.isclass(target) else target
        fields: dict[str, Any] = {}
        for parameter in inspect.signature(function, eval_str=True).parameters.values():
            if parameter.name in self._supplied or parameter.kind is parameter.VAR_KEYWORD:
                continue
            empty = parameter.annotation is parameter.empty
            default = ... if parameter.default is parameter.empty else parameter.default
            fields[parameter.name] = (Any if empty else parameter.annotation, default)
        return create_model(name, __config__=STRICT, **fields)


def import_submodules(package: ModuleType) -> None:
    """Import every module of a package, so that its registrations happen without a list of names."""
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")

"""One decorator and one lookup for everything an experiment file can name."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import partial, wraps
from types import ModuleType
from typing import Annotated, Any

import jax
from pydantic import BaseModel, ConfigDict, Field, PydanticSchemaGenerationError, TypeAdapter, create_model, model_validator

from bench.docstrings import summary
from bench.imports import MEND, OURS, described, hint, import_place, imported, place, remedy
from bench.messages import nearest, one_line

WRITABLE = (bool, int, float, str, list, tuple, dict, type(None), type(inspect.Parameter.empty))
"""Kinds of defaults that a file can write: an argument with another one, such as a function, is no option of a user's own piece."""


class PieceError(ValueError):
    """A fault of a user's own piece, told in one line that names the piece, its file and line, what to write instead, and the contract."""

    def __init__(self, text: str, what: str = "", fix: str = "") -> None:
        """Keep the whole line, and apart from it what is wrong and where, and what to write instead."""
        super().__init__(text)
        self.what, self.fix = what or text, fix


STRICT = ConfigDict(extra="forbid", frozen=True, strict=True, protected_namespaces=(), ser_json_inf_nan="constants", allow_inf_nan=False)
Extended = Annotated[float, Field(allow_inf_nan=True)]
"""A number of an experiment file that may be infinite on purpose; every other one is finite."""

_own: ContextVar[bool] = ContextVar("own", default=False)
"""Whether an experiment of the user's own is being read, which may import what it names."""
_trusted: ContextVar[frozenset[str] | None] = ContextVar("trusted", default=None)
"""While a folder is being read: the modules that the user trusts. None: no folder is being read."""
_admitted: set[str] = set()
"""Foreign names, `module:attribute` or those of data, that were allowed once in this process."""


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


def trusted_by(name: str) -> str:
    """Return the name that has to be trusted before a foreign name is used: the module of `module:attribute`, or the data themselves."""
    return module_of(name) or name


def check_allowed(kind: str, name: str) -> None:
    """Check that a foreign name, `module:attribute` or that of data, may be imported or opened; see `importing` and `trusting`.

    ValueError with one line if a results folder names it and the user does not trust it.
    """
    trusted = _trusted.get()
    if not (trusted_by(name) in trusted if trusted is not None else _own.get() or name in _admitted):
        raise untrusted(kind, name)
    _admitted.add(name)


def admit_trusted(name: str) -> None:
    """Allow a foreign name that a results folder names, from now on, if the user trusts it."""
    if trusted_by(name) in (_trusted.get() or ()):
        _admitted.add(name)


def untrusted(kind: str, name: str) -> ValueError:
    """The error that stops what would need a module, or data, that nobody trusts."""
    shown, is_data = one_line(trusted_by(name), 100), not module_of(name)
    what = f"these data, which are opened only if you trust them: --trust '{shown}'"
    module = f"the module '{shown}', which is imported only if you trust it: --trust {shown}"
    return ValueError(f"{kind} '{one_line(name, 100)}': a results folder names {what if is_data else module}")


@dataclass(frozen=True)
class Entry:
    """A registered function or class, its options (keyword arguments) and its fixed traits."""

    name: str
    target: Callable[..., Any]
    options: type[BaseModel]
    traits: dict[str, Any] = field(default_factory=dict)
    kind: str = ""
    contract: str = ""
    """How a piece of this kind is called and what it returns, in one sentence."""
    found: Any = None
    """The value of a user's name, of which the target was made."""
    factory: bool = False
    """Whether the target is called with the options alone, and what it returns is called with the supplied arguments."""

    @property
    def own(self) -> bool:
        """Whether the piece is a user's own, named `module:name`."""
        return ":" in self.name

    def takes(self, argument: str) -> bool:
        """Whether the target declares an argument of this name."""
        return argument in inspect.signature(self.target).parameters

    @property
    def label(self) -> str:
        """The piece as error messages name it."""
        return f"{self.kind} '{self.name}'"

    @property
    def summary(self) -> str:
        """First line of the docstring."""
        return summary(self.target)

    def bind(self, options: dict[str, Any]) -> Callable[..., Any]:
        """The target with its options filled in; only the supplied arguments remain open. An error of a user's own is a `PieceError`."""
        bound = partial(self._make_and_call, options) if self.factory else partial(self.target, **options)
        return self.guarded(bound) if self.own else bound

    def _make_and_call(self, options: dict[str, Any], *supplied: Any) -> Any:
        piece = self.target(**options)
        if not callable(piece):
            raise self.fault(f"called with its options it returns {_article(type(piece).__name__)}, which cannot be called")
        return piece(*supplied)

    def guarded(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, called in the context of `calling`."""

        @wraps(function)
        def called(*arguments: Any, **options: Any) -> Any:
            with self.calling():
                return function(*arguments, **options)

        return called

    @contextmanager
    def calling(self) -> Iterator[None]:
        """Context in which the piece's code runs: an exception of a user's own piece becomes a `PieceError`.

        An error of the devices, such as too little memory, passes as it is.
        """
        try:
            yield
        except (PieceError, jax.errors.JaxRuntimeError, MemoryError):
            raise
        except OverflowError as error:
            raise self.fault("an array of it would have more than 2^63 numbers on one side", error) from error
        except (Exception, SystemExit) as error:
            if not self.own:
                raise
            raise self.fault(described(error), error, remedy(error) or MEND) from error

    def fault(self, what: str, error: BaseException | None = None, fix: str = "") -> PieceError:
        """The error that says what is wrong with a piece and how to `fix` it; a user's own is named with its file, line and contract."""
        told = f"{what}; {fix}" if fix else what
        if not self.own:
            return PieceError(f"{self.label}: {told}", what, fix)
        where = place(self.target, error)
        return PieceError(f"{self.label}{where}: {told}; {self.contract}", f"{what}{where}", fix)


class Registry:
    """Names of one kind (`initializer`, `model`, ...), filled by using the registry as a decorator.

    `supplied` are the arguments that the suite passes; all other arguments of a registered function
    or class are its options, with their annotations as validation and their defaults as defaults; a user's own with `**options` takes any
    others besides. A user's own must take the arguments that it `needs`, and `contract` says so in one sentence. With `factories`, one that
    takes none of them is called with its options and returns such a piece. `adapted` makes a function or class of what else a user's name
    may stand for.
    """

    def __init__(
        self,
        kind: str,
        supplied: Iterable[str] = (),
        needs: Iterable[str] = (),
        contract: str = "",
        factories: bool = False,
        adapted: Callable[[Any], Any] = lambda found: found,
    ) -> None:
        self.kind = kind
        self._adapted = adapted
        self.contract = contract
        self._factories = factories
        self._supplied = frozenset(supplied)
        self._needs = tuple(needs)
        self._entries: dict[str, Entry] = {}
        self._own: dict[str, Entry] = {}
        """Users' pieces by `module:name`, as far as they have been looked up or decorated."""

    def __call__(self, target: Callable[..., Any] | None = None, /, **traits: Any) -> Any:
        """Register under the target's own name, as `@registry` or `@registry(trait=...)`; outside of initbench as `module:name`."""
        if target is None:
            return partial(self, **traits)
        if target.__module__.partition(".")[0] not in OURS:
            name = f"{target.__module__}:{target.__name__}"
            self._own[name] = self._entry(name, target, traits)
            return target
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
            check_allowed(self.kind, name)
            return self._imported(name)
        raise ValueError(f"unknown {self.kind} '{one_line(name, 100)}'; {nearest(name, self._entries)}, or package.module:name of your own")

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._entries))

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def _entry(self, name: str, target: Callable[..., Any], traits: dict[str, Any]) -> Entry:
        entry = Entry(name, target, BaseModel, traits, self.kind, self.contract, found=target)
        with entry.calling():
            # The metaclass of flax modules hides the constructor's signature behind its own.
            function: Any = target.__init__ if inspect.isclass(target) else target
            parameters = {} if function is object.__init__ else inspect.signature(function, eval_str=True).parameters
            factory = self._factories and entry.own and self._is_factory(parameters)
            return replace(entry, factory=factory, options=self._options(entry, parameters, factory))

    def _imported(self, name: str) -> Entry:
        """A user's own piece, with the traits that a decorator has given it."""
        module_name, _, attribute = name.partition(":")
        shown = one_line(name, 100)
        try:
            module = imported(module_name)
        except (Exception, SystemExit) as error:
            what = "; ".join(part for part in (described(error), remedy(error), hint(name)) if part)
            raise PieceError(f"{self.kind} '{shown}' cannot be imported{import_place(error)}: {what}") from error
        target = getattr(module, attribute, None)
        if target is None:
            file = getattr(module, "__file__", None) or ", ".join(getattr(module, "__path__", [])) or "built in"
            missing = f"module {one_line(module_name, 100)} ({file}) has no '{one_line(attribute, 100)}'"
            advice = hint(name) or nearest(attribute, [one for one in vars(module) if not one.startswith("_")])
            raise PieceError(f"{self.kind} '{shown}' cannot be imported: {missing}; {advice}")
        known = self._own.get(name)
        if known is not None and known.found is target:
            return known
        found, target = target, self._adapted(target)
        if not callable(target):
            raise PieceError(f"{self.kind} '{shown}', of type {type(found).__name__}, is not a function or class; {self.contract}")
        decorated = next((entry for entry in self._own.values() if entry.target is target), None)
        known = replace(decorated, name=name) if decorated else self._entry(name, target, dict(getattr(target, "traits", {})))
        self._own[name] = replace(known, found=found)
        return self._own[name]

    def _is_factory(self, parameters: Mapping[str, inspect.Parameter]) -> bool:
        """Tell from its signature whether a user's own takes none of the arguments that only the piece itself is called with."""
        # The arguments of such a piece are passed by position, which `**options` does not take.
        takes_any = any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters.values())
        # A factory may take a dtype as well.
        return not takes_any and not set(self._needs) - {"dtype"} & set(parameters)

    def _options(self, entry: Entry, parameters: Mapping[str, inspect.Parameter], factory: bool) -> type[BaseModel]:
        any_name = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
        missing = [needed for needed in self._needs if needed not in parameters]
        if entry.own and missing and not any_name and not factory:
            raise entry.fault(
                f"it does not take {', '.join(missing)}", fix=f"write def {entry.name.rpartition(':')[2]}({', '.join(self._needs)})"
            )
        fields: dict[str, Any] = {}
        for parameter in parameters.values():
            if parameter.name in self._supplied or parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
                continue
            if entry.own and not isinstance(parameter.default, WRITABLE):
                continue
            if entry.own and parameter.name == "name":
                raise entry.fault("an option cannot be called 'name', which is the name of the piece", fix="give the argument another name")
            empty = parameter.annotation is parameter.empty or factory and not _is_checkable(parameter.annotation)
            default = ... if parameter.default is parameter.empty else parameter.default
            fields[parameter.name] = (Any if empty else parameter.annotation, default)
        if not (entry.own and any_name):
            return create_model(entry.name, __config__=STRICT, **fields)
        config, refused = ConfigDict(**{**STRICT, "extra": "allow"}), self._supplied - {"self"}
        return create_model(entry.name, __config__=config, __validators__={"refused": _refusal(refused)}, **fields)


def _refusal(names: frozenset[str]) -> Any:
    """Return the validator that refuses these names among the options that `**options` takes."""

    def refuse(given: dict[str, Any]) -> dict[str, Any]:
        if wrong := sorted(names & set(given)):
            raise ValueError(f"an option cannot be called '{wrong[0]}', which is an argument that the suite passes")
        return given

    return model_validator(mode="before")(refuse)


def _is_checkable(annotation: Any) -> bool:
    """Whether pydantic can check values against an annotation; those of a factory were not written for it."""
    try:
        TypeAdapter(annotation, config=STRICT)
    except PydanticSchemaGenerationError:
        return False
    return not isinstance(annotation, str)


def _article(noun: str) -> str:
    return f"{'an' if noun[0].lower() in 'aeiou' else 'a'} {noun}"


def import_submodules(package: ModuleType) -> None:
    """Import every module of a package, so that its registrations happen without a list of names."""
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")

"""Per law: a small experiment in which it must hold, and ways to spoil the rows so that it must fail.

Each module without tests gives `SETTINGS` (changes to `tests.conftest.XOR`, by law) and `WRONG` (the ways, by law).
"""

import pkgutil
from importlib import import_module
from typing import Any

from tests.laws.wrong import Misled, Wrong

_NAMES = [module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith(("wrong", "test_"))]
_MODULES = [import_module(f"{__name__}.{name}") for name in _NAMES]

SETTINGS: dict[str, dict[str, Any]] = {law: settings for module in _MODULES for law, settings in module.SETTINGS.items()}
WRONG: dict[str, list[Wrong | Misled]] = {law: ways for module in _MODULES for law, ways in module.WRONG.items()}

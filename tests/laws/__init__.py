"""Per law: a small experiment in which it must hold, and how to spoil the rows so that it must fail.

Each module gives `SETTINGS` (changes to `tests.conftest.XOR`, by law) and `WRONG` (a function of the good rows, by law).
"""

import pkgutil
from importlib import import_module
from typing import Any

_MODULES = [import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]

SETTINGS: dict[str, dict[str, Any]] = {law: settings for module in _MODULES for law, settings in module.SETTINGS.items()}
WRONG: dict[str, Any] = {law: spoil for module in _MODULES for law, spoil in module.WRONG.items()}

"""Structure-level knowledge distillation for multilingual sequence labelling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from skd_lightning.errors import UserError

if TYPE_CHECKING:
    from skd_lightning.taggers import load as load

__version__ = "0.1.0"
__all__ = ["load"]


def __getattr__(name: str) -> Any:
    if name == "load":  # imports Lightning, seconds that the CRF alone should not cost
        try:
            from skd_lightning.taggers import load
        except ModuleNotFoundError as error:
            raise UserError(
                f"{error.name} is not installed: pip install 'skd-lightning[train]', or serve a saved tagger with "
                "skd_lightning.serving.Runtime"
            ) from None
        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

"""A transformer as ONNX, for saved taggers that run without PyTorch."""

from __future__ import annotations

import contextlib
import io
import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from skd_lightning.encoders.pretrained_transformer import PretrainedTransformer
from skd_lightning.errors import UserError

CLOSE = 1e-3
"""By how much the states of the written transformer may differ, beside the largest of them."""


class _States(nn.Module):
    """The mean of the chosen layers' states, with tensors for arguments."""

    def __init__(self, transformer: PretrainedTransformer) -> None:
        super().__init__()
        self.transformer = transformer

    def forward(self, pieces: Tensor, mask: Tensor) -> Tensor:
        """Return (windows, width, size)."""
        return self.transformer.states({"pieces": pieces, "mask": mask})


def transformer_onnx(transformer: PretrainedTransformer) -> bytes:
    """Return the content of an ONNX file.

    Inputs ``pieces`` and ``mask`` (windows, width) int64; output ``states`` (windows, width, size) float32. PyTorch's
    exporter by ``torch.export`` writes it: the older one, by tracing, loses the attention mask of transformers 5, and
    optimum does not take that version. What was written is compared with the transformer before it is returned.

    Raises:
        UserError: the exporter's libraries are missing, it fails, or it writes another function.
    """
    readable = int(transformer.saved["tokenizer"]["readable"])
    width = min(7, readable)
    draw = torch.Generator().manual_seed(0)
    pieces = torch.randint(transformer.model.config.vocab_size, (3, width), generator=draw)
    mask = torch.ones_like(pieces)
    mask[1, width // 2 :] = 0
    axes = {
        0: torch.export.Dim("windows", min=1, max=2**20),
        1: torch.export.Dim("width", min=2, max=readable),
    }
    device, training = transformer.model.device, transformer.training
    wrapped = _States(transformer).cpu().eval()
    try:
        import onnx_ir
        from onnx_ir.passes.common import ClearMetadataAndDocStringPass

        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            file = Path(folder) / "transformer.onnx"
            with contextlib.redirect_stdout(io.StringIO()):
                torch.onnx.export(
                    wrapped,
                    (pieces, mask),
                    file,
                    input_names=["pieces", "mask"],
                    output_names=["states"],
                    dynamic_shapes={"pieces": axes, "mask": axes},
                    dynamo=True,
                    external_data=False,
                    verbose=False,
                )
            # The exporter writes places and lines of this machine's sources beside each node: nobody's business.
            model = onnx_ir.load(file)
            ClearMetadataAndDocStringPass()(model)
            onnx_ir.save(model, Path(folder) / "clean.onnx")
            content = (Path(folder) / "clean.onnx").read_bytes()
        with torch.inference_mode():
            _refuse_other_states(content, pieces[:2, : width - 1], mask[:2, : width - 1], wrapped)
    except ImportError:
        raise UserError(
            "writing a transformer needs onnx, onnx-ir and onnxscript: pip install 'skd-lightning[train]'"
        ) from None
    except UserError:
        raise
    except (torch.onnx.OnnxExporterError, ValueError, RuntimeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"PyTorch's exporter cannot write this transformer ({reason}); serve it with PyTorch"
        ) from error
    finally:
        transformer.to(device).train(training)
    return content


def _refuse_other_states(content: bytes, pieces: Tensor, mask: Tensor, wrapped: _States) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"pieces": pieces.numpy(), "mask": mask.numpy()})
    expected, read = wrapped(pieces, mask).numpy(), mask.numpy().astype(bool)
    error = np.abs(found - expected)[read].max() / np.abs(expected[read]).max()
    if not error < CLOSE:
        raise UserError(
            f"PyTorch's exporter writes another transformer (error {error:.2g}); serve it with PyTorch"
        )

"""A table's Arrow schema with metadata of its own, which a Polars schema cannot have.

Arrow shows the metadata of the schema that is kept in a Parquet file, and not that of the file.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping

import polars as pl

_CAPSULE_NAME = b"arrow_schema"

_pointer_of = ctypes.pythonapi.PyCapsule_GetPointer
_pointer_of.restype = ctypes.c_void_p
_pointer_of.argtypes = [ctypes.py_object, ctypes.c_char_p]


class _Head(ctypes.Structure):
    """How a schema of Arrow's C data interface begins."""

    _fields_ = (
        ("format", ctypes.c_char_p),
        ("name", ctypes.c_char_p),
        ("metadata", ctypes.c_void_p),
    )


class SchemaWithMetadata:
    """A schema as `DataFrame.write_parquet(arrow_schema=…)` takes it. It must outlive the call."""

    def __init__(self, schema: pl.Schema, metadata: Mapping[str, str]) -> None:
        self._schema = schema
        # Whoever made the schema frees what it allocated, and knows nothing of this.
        self._metadata = ctypes.create_string_buffer(_encoded(metadata))

    def __arrow_c_schema__(self) -> object:
        """The schema in a capsule, by Arrow's protocol."""
        capsule = self._schema.__arrow_c_schema__()
        head = _Head.from_address(_pointer_of(capsule, _CAPSULE_NAME))
        head.metadata = ctypes.addressof(self._metadata)
        return capsule


def _encoded(metadata: Mapping[str, str]) -> bytes:
    parts = [_length(len(metadata))]
    for pair in metadata.items():
        for text in pair:
            content = text.encode()
            parts += [_length(len(content)), content]
    return b"".join(parts)


def _length(count: int) -> bytes:
    return bytes(ctypes.c_int32(count))

"""Where finished results are kept."""

from w2s.store.artifacts import default_root
from w2s.store.failing import StoreError
from w2s.store.manifest import FileRecord, Manifest
from w2s.store.store import Store

__all__ = ["FileRecord", "Manifest", "Store", "StoreError", "default_root"]

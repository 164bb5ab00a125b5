"""A pooling whose module sets something when it is imported, and only then."""

from rude import DEEDS, Mean

DEEDS["Hooks"]()


class AtImport(Mean):
    pass

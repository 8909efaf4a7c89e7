"""Container programs as processes: what an image runs here, its end, its log.

``guardian`` and ``launcher`` are programs that ``processes`` starts by path. Imports ``storage``
and what stands beside the packages.
"""

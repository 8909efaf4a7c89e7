"""Where a demo's progress is shown."""

import sys
from dataclasses import dataclass, field

from local.client.following import Progress


@dataclass
class Screen:
    """Progress as one changing line on a terminal, as a line a state elsewhere."""

    live: bool = field(default_factory=sys.stdout.isatty)
    _last: str = ""

    def say(self, text: str) -> None:
        """Print a line of its own."""
        if self.live and self._last:
            sys.stdout.write("\r\033[K")
        self._last = ""
        print(text, flush=True)

    def progress(self, progress: Progress, seconds: float) -> None:
        """Show where a run is."""
        if not progress.current:
            return
        training = f", {progress.training}" if progress.training else ""
        text = f"  {progress.current}{training}"
        if self.live:
            sys.stdout.write(f"\r\033[K{text}  ({seconds:.0f} s)")
            sys.stdout.flush()
            self._last = text
        elif text != self._last:
            print(f"{seconds:7.1f} s{text}", flush=True)
            self._last = text

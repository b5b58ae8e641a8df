"""What a stand-in knows, kept in a file: read at its start, written soon after a change."""

import asyncio
import json
import os


class Kept:
    """known has seq, which every change moves, saved() and restore(). Without a path it does nothing."""

    def __init__(self, path, known):
        self.path, self.known = path, known
        if path and os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                known.restore(json.load(file))
        self.written = known.seq

    def write(self):
        if not self.path or self.written == self.known.seq:
            return
        self.written = self.known.seq
        with open(self.path + ".new", "w", encoding="utf-8") as file:
            json.dump(self.known.saved(), file)
        os.rename(self.path + ".new", self.path)

    async def until(self, stop):
        """Writes twice a second at most, and a last time when the event stop is set."""
        while not stop.is_set():
            try:
                await asyncio.wait_for(stop.wait(), 0.5)
            except asyncio.TimeoutError:
                pass
            self.write()

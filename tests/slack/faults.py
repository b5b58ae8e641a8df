"""Faults on demand: for the next N calls of a method, an error, a status, a delay, a lost answer."""

import asyncio


class Faults:
    def __init__(self):
        self.waiting, self.lifted = [], asyncio.Event()

    def add(self, fault):
        self.waiting.append({"count": 1, "method": "*", **fault})

    def clear(self):
        self.waiting.clear()
        self.lifted.set()
        self.lifted = asyncio.Event()

    def take(self, method, arguments):
        for fault in self.waiting:
            if fault["method"] not in ("*", method):
                continue
            if any(arguments.get(k) != v for k, v in fault.get("match", {}).items()):
                continue
            fault["count"] -= 1
            if fault["count"] <= 0:
                self.waiting.remove(fault)
            return fault
        return None

    async def before(self, fault, refusal):
        """What happens before the call has its effect."""
        if fault["do"] == "slow":
            await asyncio.sleep(fault.get("seconds", 1))
        elif fault["do"] == "hold":  # until the faults are cleared
            await self.lifted.wait()
        elif fault["do"] == "hang":  # nothing is done, nobody answers
            await asyncio.sleep(fault.get("seconds", 60))
            raise refusal("request_timeout", status=500)
        elif fault["do"] == "error":
            headers = {}
            if fault.get("retry_after"):
                headers["Retry-After"] = str(fault["retry_after"])
            raise refusal(fault["error"], status=fault.get("status", 200), headers=headers)
        elif fault["do"] == "status":
            headers = {"Retry-After": str(fault["retry_after"])} if fault.get("retry_after") else {}
            name = "ratelimited" if fault["status"] == 429 else "internal_error"
            raise refusal(name, status=fault["status"], headers=headers)
        elif fault["do"] == "reset":
            raise refusal("internal_error", status=500)

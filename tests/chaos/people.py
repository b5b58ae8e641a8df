"""Forty people, and each one's life in a thread of its own."""

import threading

from acts import Acting
from world import TEAMS

ROLES = ("manager", "approver", "approver", "on-call")  # of a team; the rest of it develops
PER_TEAM = 8


class Person:
    def __init__(self, number, team, role):
        self.id, self.name = f"U0P{number:02}", f"person-{number}"
        self.team, self.role, self.asked = team, role, 0


def hire(count=PER_TEAM * len(TEAMS)):
    """The approvers decide for every team."""
    roles = ROLES + ("developer",) * (PER_TEAM - len(ROLES))
    return [Person(n, TEAMS[n % len(TEAMS)], roles[n // len(TEAMS) % PER_TEAM])
            for n in range(count)]


class Crowd:
    def __init__(self, world, journal, seed, hurry):
        self.over = threading.Event()
        self.acting = [Acting(p, world, journal, seed, hurry) for p in world.people]
        self.threads = [threading.Thread(target=self.safely, args=(one,), daemon=True)
                        for one in self.acting]
        self.broken = []

    def safely(self, acting):
        try:
            acting.live(self.over)
        except Exception as error:  # a mistake of the driver's must not look like a quiet person
            import traceback
            self.broken.append(f"{acting.who.id}: {error!r}\n{traceback.format_exc()}")

    def start(self):
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join(90)
        assert not any(t.is_alive() for t in self.threads), "a person does not come back"

    def resume(self):
        """Whoever is on call ends the pause that somebody forgot."""
        on_call = next(one for one in self.acting if one.who.role == "on-call")
        while on_call.rows("SELECT FROM pauses WHERE resumed_at IS NULL"):
            on_call.resume()

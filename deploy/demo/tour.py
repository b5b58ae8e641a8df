#!/usr/bin/python3
"""envbot's story without a person: played on the demo's page, printed as its readers see it, with a
picture of each step. Exit code 0 only when every step happened."""

import argparse
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from demo import Stopped, ignore_signals, listen_to_signals, say  # noqa: E402
from world import ROOT, Trouble, World  # noqa: E402

PACE = 10  # seconds that a cluster takes: long enough for a picture of how it comes up
PATIENCE = 60
FIND = ("return [...document.querySelectorAll(arguments[0])].filter((node) =>"
        " node.checkVisibility() && node.innerText.includes(arguments[1])).pop()")


class Page:
    """The workspace in a browser, as one person at a time."""

    def __init__(self, url, pictures):
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for word in ["--headless=new", "--window-size=1360,1040", "--lang=en-US", "--no-sandbox",
                     "--disable-dev-shm-usage", "--hide-scrollbars"]:
            options.add_argument(word)
        self.browser = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
        self.url, self.pictures, self.count = url, pictures, 0

    def visit(self, person, place):
        self.browser.get(f"{self.url}/?as={person}#{place}")
        self.see(f"body[data-ready][data-me='{person}'][data-place='{place}']")

    def find(self, css, words=""):
        """The last element of that kind that shows these words, or None. One look, in the page."""
        return self.browser.execute_script(FIND, css, words)

    def see(self, css, words=""):
        deadline = time.monotonic() + PATIENCE
        while not (found := self.find(css, words)):
            if time.monotonic() > deadline:
                self.picture("missing")
                raise Trouble(f"Not on the page within {PATIENCE} s: {css} {words}".rstrip() + ". "
                              "The last picture shows what was there.")
            time.sleep(0.1)
        return found

    def click(self, css, words=""):
        from selenium.common.exceptions import StaleElementReferenceException
        while True:
            node = self.see(css, words)
            try:
                self.browser.execute_script("arguments[0].scrollIntoView({block: 'nearest'})", node)
                return node.click()
            except StaleElementReferenceException:
                pass  # the page has just drawn it anew; it was not clicked

    def write(self, css, text):
        self.see(css).send_keys(text)

    def clear(self, css):
        self.see(css).clear()

    def send_form(self):
        """Sends the form's last page, and waits until it is closed."""
        self.click("#modal-submit")
        deadline = time.monotonic() + PATIENCE
        while self.find("#modal"):
            wrong = self.find("#modal .field-error, #modal .modal-error", " ")
            if wrong or time.monotonic() > deadline:
                self.picture("refused")
                raise Trouble(f"The form was not taken: {wrong.text if wrong else 'no answer'}")
            time.sleep(0.1)

    def read(self, css, words=""):
        self.see(css, words)
        return self.browser.execute_script(FIND + "?.innerText", css, words)

    def settle(self):
        """Until what is drawn stands still: fonts, openings, scrolling."""
        self.browser.execute_async_script(
            "const done = arguments[0]; document.fonts.ready.then(() => Promise.all(document"
            ".getAnimations().filter((a) => a.effect.getComputedTiming().iterations < 9)"
            ".map((a) => a.finished.catch(() => 0)))).then(() => requestAnimationFrame(done))")

    def picture(self, name):
        self.count += 1
        self.settle()
        path = os.path.join(self.pictures, f"{self.count:02}-{name}.png")
        self.browser.save_screenshot(path)
        say(f"      {os.path.relpath(path)}")

    def quit(self):
        self.browser.quit()


# Each message of the thread: what it says, what is its head, and its buttons.
THREAD = """return [...document.querySelectorAll('#thread-messages .message')].map((m) => ({
    text: m.querySelector('.message-body').innerText,
    head: [...m.querySelectorAll('.message-head')].map((n) => n.innerText),
    buttons: [...m.querySelectorAll('[data-action]')].map((n) => n.innerText)}))"""


def indented(text):
    return "\n".join(("    " + line).rstrip() for line in text.strip().splitlines())


def as_text(message):
    text = message["text"]
    for head in message["head"]:
        text = text.replace(head, "", 1)
    lines = [line for line in text.splitlines() if line.strip()]
    buttons = message["buttons"]
    while buttons and lines and lines[-1] in buttons:
        lines.pop()
    if buttons:
        lines.append("  ".join(f"[{button}]" for button in buttons))
    return "\n".join(lines)


def columns(text):
    rows = [line.split("\t") for line in text.splitlines()]
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths))
                     for row in rows)


class Tour:
    """The steps, in their order."""

    def __init__(self, page):
        self.page = page
        self.step_number = 0

    def step(self, words):
        self.step_number += 1
        say(f"{self.step_number:3}. {words}")

    def ask(self):
        page = self.page
        self.step("The developer types /env create, which opens a form.")
        page.visit("U0DEV", "C0GEN")
        page.write("#box", "/env create")
        page.picture("type")
        page.write("#box", "\n")
        page.see("#modal[data-view=create] [data-block=template]")
        page.click("#modal [data-block=template] label", "Small cluster")
        page.picture("form")
        self.step("Its second page asks what such a cluster takes.")
        page.click("#modal-submit")
        page.write("#modal [data-block=name] input", "demo")
        page.clear("#modal [data-block=set-nodes] input")
        page.write("#modal [data-block=set-nodes] input", "3")
        page.write("#modal [data-block=reason] textarea", "Try the new ingress")
        page.picture("details")
        page.send_form()

    def look_for_it(self):
        page = self.page
        self.step("It is asked for: a message in the team's channel, a thread that tells its story.")
        page.visit("U0DEV", "C0PAY")
        page.click("[data-replies]")
        page.see("#thread-messages .message", "It can be approved by")
        page.picture("asked")

    def approve(self):
        page = self.page
        self.step("The approver sees what, why, for how long and at what cost.")
        page.visit("U0APPR", "C0PLAT")
        page.see("#messages [data-action=approve]")
        page.picture("card")
        self.step("The approver clicks Approve; the card says so and has no buttons any more.")
        page.click("#messages [data-action=approve]")
        page.see("#messages .message", "Approved by @approver")
        if page.find("#messages [data-action]"):
            raise Trouble("The card still has buttons.")
        page.picture("approved")

    def watch(self):
        page = self.page
        self.step("The cluster comes up: a plan that advances in place.")
        page.visit("U0DEV", "C0PAY")
        page.click("[data-replies]")
        page.see("#thread .plan [data-status=complete]")
        page.see("#thread .plan [data-status=in_progress]")
        page.picture("creating")
        self.step("It is ready: where, how many nodes, until when, and how to use it.")
        page.see("#thread-messages .message", "your cluster is ready")
        page.see("#messages .message", "payments/demo is ready")
        page.picture("ready")

    def read_mail(self):
        page = self.page
        self.step("A mail says so, too.")
        page.visit("U0DEV", "inbox")
        page.see("#inbox [data-mail]", "Your cluster payments/demo is ready")
        page.picture("mail")

    def extend(self):
        page = self.page
        self.step("A warning comes before the end.")
        page.visit("U0DEV", "C0PAY")
        page.click("[data-replies]")
        page.see("#thread-messages .message", "payments/demo ends in")
        page.picture("warning")
        self.step("The developer wants more time.")
        page.click("#thread-messages [data-action=extend]")
        page.see("#modal[data-view=extend]")
        page.picture("extend")
        page.send_form()
        page.see("#thread-messages .message", "gave it")
        page.picture("extended")

    def end(self):
        page = self.page
        self.step("Its time is up: the cluster goes, and nothing of it is left.")
        page.see("#thread-messages .message", "payments/demo is gone")
        page.see("#messages .message", "payments/demo is gone")
        page.picture("gone")
        thread = "\n\n".join(map(as_text, page.browser.execute_script(THREAD)))
        page.visit("U0DEV", "inbox")
        page.see("#inbox [data-mail]", "payments/demo is gone")
        page.picture("mails")
        return thread

    def mails(self):
        """Each mail as text, oldest first."""
        page, texts = self.page, []
        page.click("#inbox [data-tab=text]")
        numbers = page.browser.execute_script(
            "return [...document.querySelectorAll('#inbox [data-mail]')].map(n => n.dataset.mail)")
        for number in reversed(numbers):
            page.click(f"#inbox [data-mail='{number}']")
            page.see(f"#inbox [data-mail='{number}'][aria-pressed=true]")
            texts.append(page.read("#inbox .mail-subject") + "\n\n" + page.read("#inbox .letter-text"))
        return texts

    def report(self):
        page = self.page
        self.step("The manager reads what the month has cost.")
        page.visit("U0MGR", "C0GEN")
        page.write("#box", "/env report\n")
        page.see("#messages .message .table", "payments")
        page.see("#messages .message .chart")
        page.picture("report")
        return columns(page.read("#messages .message .table", "payments"))

    def play(self):
        self.ask()
        self.look_for_it()
        self.approve()
        self.watch()
        self.read_mail()
        self.extend()
        thread = self.end()
        mails = self.mails()
        report = self.report()
        say(f"\nThe thread in #team-payments:\n\n{indented(thread)}")
        for mail in mails:
            say(f"\nA mail to developer@example.com:\n\n{indented(mail)}")
        say(f"\nThe report:\n\n{indented(report)}")
        subjects = [mail.splitlines()[0] for mail in mails]
        for wanted in ["is ready", "ends in", "is gone"]:
            if not any(wanted in subject for subject in subjects):
                raise Trouble(f"No mail says that the cluster {wanted}: {subjects}")


def play(page):
    from selenium.common.exceptions import WebDriverException
    try:
        Tour(page).play()
    except WebDriverException as error:
        page.picture("trouble")
        raise Trouble(f"{error.msg} The last picture shows what was there.")


def run(folder):
    started = time.monotonic()
    world = World(os.path.join(folder, "world"), PACE)
    page = None
    listen_to_signals()
    try:
        world.take()
        world.clear()
        world.take()
        for name in os.listdir(folder):
            if name.endswith(".png"):
                os.unlink(os.path.join(folder, name))
        world.start()
        page = Page(world.url, folder)
        say("envbot's story, in a workspace of its own:\n")
        play(page)
        say(f"\nEvery step happened, in {time.monotonic() - started:.0f} s. The pictures are in "
            f"{os.path.relpath(folder)}.")
    except Stopped:
        say("\nEnding …")
        return 1
    finally:
        ignore_signals()
        if page:
            page.quit()
        if world.lock:
            world.end()
    world.clear()  # after trouble its logs are kept
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", default=os.path.join(ROOT, "build", "tour"))
    try:
        return run(os.path.abspath(parser.parse_args().folder))
    except Trouble as trouble:
        say(f"\nThe tour did not come to its end. {trouble}", sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())

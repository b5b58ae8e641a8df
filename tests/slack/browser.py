"""What tests of the page share: a browser, and a bot that does what a test says."""

import asyncio
import json
import os
import threading
import time

import aiohttp
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--window-size=1280,800"]


# The visible elements of css that have the text: asked in one go, for WebDriver's own questions, one an
# element and each with a library of its own, took most of the time.
VISIBLE = """
const [css, text] = arguments;
return [...document.querySelectorAll(css)].filter(found => {
    const box = found.closest("select") || found, {width, height} = box.getBoundingClientRect();
    return width > 0 && height > 0
        && box.checkVisibility({visibilityProperty: true, opacityProperty: true})
        && (found.innerText ?? found.textContent).includes(text);
})"""


def start_browser(directory):
    options = webdriver.ChromeOptions()
    for flag in FLAGS + [f"--user-data-dir={directory}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    # What is killed leaves its temporary files, and in this folder they go with the rest.
    service = Service(env={**os.environ, "TMPDIR": str(directory)})
    return webdriver.Chrome(service=service, options=options)


class Page:
    """The page in a browser, in the words of a person who uses it."""

    def __init__(self, driver, url, person="U0DEV"):
        self.driver, self.url = driver, url
        driver.get(f"{url}/?as={person}")
        self.see(f"body[data-me={person}][data-ready]")

    def all(self, css):
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def until(self, look, what, seconds=30):
        """The first true value of look(); an element that was redrawn is looked up again."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                found = look()
            except StaleElementReferenceException:
                found = None
            if found:
                return found
            if time.monotonic() > deadline:
                shown = self.driver.find_element(By.TAG_NAME, "body").text
                raise AssertionError(f"not within {seconds} s: {what}\n{shown}")
            time.sleep(0.05)

    def see(self, css, text="", seconds=30):
        """The first visible element of css that has the text."""
        return self.until(lambda: self.run(VISIBLE, css, text), f"{css} with {text!r}", seconds)[0]

    def gone(self, css, seconds=30):
        self.until(lambda: not self.run(VISIBLE, css, ""), f"no {css}", seconds)

    def text(self, css):
        return self.see(css).text

    def click(self, css, text=""):
        def press():
            element = self.see(css, text)
            self.run("arguments[0].scrollIntoView({block: 'nearest'})", element)
            element.click()
            return True
        self.until(press, f"{css} can be clicked")

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def become(self, person):
        if not self.see(f"#people [data-person={person}], #people-more").get_attribute("data-person"):
            self.click("#people-more")
        self.click(f"#people [data-person={person}]")
        self.see(f"body[data-me={person}]")

    def go(self, channel):
        self.click(f"#sidebar [data-channel={channel}]")
        self.see(f"body[data-place={channel}]")

    def type(self, text, box="#box"):
        self.see(box).send_keys(text + Keys.ENTER)

    def fill(self, block, text):
        field = self.see(f"#modal [data-block={block}] .input")
        field.clear()
        field.send_keys(text)

    def complaints(self):
        """What the browser logged as an error; that example.invalid has no pictures is none."""
        return [entry["message"] for entry in self.driver.get_log("browser")
                if entry["level"] == "SEVERE" and "//example.invalid/" not in entry["message"]]


class TinyBot:
    """Connects as the app. `answer(envelope, call)` gives the ack's payload, or None for no ack;
    call(method, **arguments) is the Web API."""

    def __init__(self, stand_in, answer):
        self.stand_in, self.answer, self.payloads = stand_in, answer, []
        self.ready, self.loop = threading.Event(), asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_until_complete, args=(self.serve(),))
        self.thread.start()
        assert self.ready.wait(20), "the test's bot is connected"

    async def serve(self):
        self.task = asyncio.current_task()
        url = self.stand_in.json("apps.connections.open", token="xapp-1-A0ENVBOT-1-test")["url"]
        try:
            async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
                async for message in socket:
                    envelope = json.loads(message.data)
                    if envelope["type"] == "hello":
                        self.ready.set()
                    elif "envelope_id" in envelope:
                        await self.handle(socket, envelope)
        except asyncio.CancelledError:
            pass

    async def handle(self, socket, envelope):
        self.payloads.append(envelope["payload"])
        payload = await self.loop.run_in_executor(None, self.answer, envelope, self.stand_in.json)
        if payload is not None:
            await socket.send_json({"envelope_id": envelope["envelope_id"], "payload": payload})

    def stop(self):
        self.loop.call_soon_threadsafe(self.task.cancel)
        self.thread.join(10)


def keep_picture(driver, name):
    """A screenshot of a failed test, for whoever looks into it."""
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "build", "page")
    os.makedirs(folder, exist_ok=True)
    driver.save_screenshot(os.path.join(folder, f"{name}.png"))

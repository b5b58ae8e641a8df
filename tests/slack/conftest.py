"""A stand-in workspace for a test: `slack` is as new, `shared` never answers 429; `page` opens it
in a browser."""

import pytest
from browser import Page, keep_picture, start_browser
from stand_in import StandIn


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory):
    one = StandIn(str(tmp_path_factory.mktemp("slack")))
    yield one
    one.program.stop()


@pytest.fixture
def slack(stand_in):
    stand_in.call("/control/reset", {})
    return stand_in


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    one = StandIn(str(tmp_path_factory.mktemp("slack")), "--relaxed-limits")
    yield one
    one.program.stop()


@pytest.fixture(scope="session")
def driver(tmp_path_factory):
    browser = start_browser(tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.quit()


@pytest.fixture
def page(driver, request):
    """page(url, person): the page as that person sees it. The browser must find nothing wrong with
    it, and a failed test leaves a picture in build/page/."""
    driver.set_window_size(1280, 800)
    pages = []

    def make(url, person="U0DEV"):
        pages.append(Page(driver, url, person))
        return pages[-1]

    yield make
    failed = getattr(request.node, "failed", False)
    if failed:
        keep_picture(driver, request.node.name)
    complaints = pages[0].complaints() if pages else []
    driver.execute_script("localStorage.clear()")
    driver.get("about:blank")
    assert failed or not complaints

"""What a visitor can do on the page, and what they see there."""

import io
from base64 import b64decode
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import FilePayload, Locator, Page, Route

from tests.pictures import encode, gradient
from tests.servers import ROOT

SAMPLES = ROOT / "static" / "samples"
CAT, CAMERA, COFFEE, ROCKET = (SAMPLES / f"{name}.jpg" for name in ("chelsea", "camera", "coffee", "rocket"))
NOTES = FilePayload(name="notes.txt", mimeType="text/plain", buffer=b"hello")


def upload(picture: Image.Image, name: str, form: str = "JPEG", **options: Any) -> FilePayload:
    return FilePayload(name=name, mimeType=f"image/{form.lower()}", buffer=encode(picture, form, **options))


def wide() -> FilePayload:
    """A photo of its own shape, to tell its result from others."""
    return upload(gradient(300, 100), "wide.jpg")


@dataclass
class Visitor:
    page: Page
    site: str

    def choose(self, *files: Path | FilePayload) -> None:
        payloads = [
            FilePayload(name=file.name, mimeType="image/jpeg", buffer=file.read_bytes())
            if isinstance(file, Path)
            else file
            for file in files
        ]
        self.page.set_input_files("#image", payloads)

    def describe(self, *files: Path | FilePayload) -> str:
        """Choose photos and wait until every one has come to its end; the caption on the stage."""
        self.choose(*files)
        self.await_all()
        return self.caption()

    def await_all(self) -> None:
        self.page.wait_for_selector("#tiles:has(.tile):not(:has([data-state=busy]))")

    def caption(self) -> str:
        return self.page.locator("#caption").text_content() or ""

    def state(self) -> str | None:
        return self.page.get_attribute("#stage", "data-state")

    def tiles(self) -> list[str]:
        return self.page.locator(".tile:visible .tile-name").all_text_contents()

    def tile(self, name: str) -> Locator:
        return self.page.locator(".tile", has=self.page.locator(".tile-name", has_text=name))

    def words(self) -> Locator:
        return self.page.locator("#words .word")

    def photo(self) -> Image.Image:
        """The photo on the stage as the browser keeps it: the very file that was sent."""
        data = self.page.evaluate(
            """() => new Promise((resolve, reject) => {
              const name = document.querySelector("#photo").alt.replace("Your photo, ", "");
              indexedDB.open("captioner").onsuccess = ({ target: { result: database } }) => {
                database.transaction("items").objectStore("items").getAll().onsuccess = ({ target }) => {
                  const reader = new FileReader();
                  reader.onload = () => resolve(reader.result.split(",")[1]);
                  reader.readAsDataURL(target.result.find(({ file }) => file === name).photo);
                  database.close();
                };
              };
            })"""
        )
        return Image.open(io.BytesIO(b64decode(data)))

    def hold_captions(self) -> list[Route]:
        """From now on requests for captions wait in the list, until they are continued."""
        held: list[Route] = []
        self.page.route("**/predict", lambda route: held.append(route))  # noqa: PLW0108
        return held

    def sent(self, held: list[Route], count: int = 1) -> None:
        """Wait until so many requests are held."""
        while len(held) < count:
            self.page.wait_for_timeout(20)

    def release(self, held: list[Route]) -> None:
        """Let them go, and all that follow."""
        for route in list(held):
            route.continue_()
        self.page.unroute("**/predict")

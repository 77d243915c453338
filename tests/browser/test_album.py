"""The visitor's photos: kept in their browser, searched, exported, removed."""

import csv
import io
import json

from tests.browser.visitor import CAMERA, CAT, COFFEE, NOTES, Visitor


def export(visitor: Visitor, kind: str) -> str:
    with visitor.page.expect_download() as download:
        visitor.page.click(f"[data-export={kind}]")
    assert download.value.suggested_filename == f"captions.{kind}"
    return download.value.path().read_bytes().decode()


# Transactions wait for those before them: once this one gets its turn, what was written before is kept.
KEPT = """() => new Promise((resolve, reject) => {
  const request = indexedDB.open("captioner");
  request.onerror = reject;
  request.onsuccess = () => {
    const transaction = request.result.transaction("items", "readwrite");
    transaction.objectStore("items").count();
    transaction.oncomplete = () => { request.result.close(); resolve(); };
  };
})"""


def reload(visitor: Visitor) -> None:
    visitor.page.evaluate(KEPT)  # people are slower than a disk, tests are not
    visitor.page.reload()
    visitor.page.wait_for_selector("html[data-ready]")


def test_photos_and_captions_survive_a_reload(visitor: Visitor) -> None:
    visitor.describe(CAT, CAMERA, NOTES)
    before = visitor.page.locator(".tile[data-state=done] .tile-text").all_text_contents()
    reload(visitor)
    assert visitor.tiles() == ["chelsea.jpg", "camera.jpg"]  # what failed is not kept
    assert visitor.page.locator(".tile-text").all_text_contents() == before
    visitor.tile("camera.jpg").locator(".open").click()
    assert visitor.caption() == before[1] and visitor.photo().size == (512, 512)
    assert visitor.page.evaluate("document.activeElement.id") == "stage"
    assert visitor.words().count() > 3  # its attention too


def test_page_says_that_the_server_keeps_no_photo(visitor: Visitor) -> None:
    assert "not kept on the server" in visitor.page.inner_text("#terms")
    visitor.describe(CAT)
    assert "The server keeps no photo." in visitor.page.inner_text("#album-note")


def test_edited_caption_survives_a_reload(visitor: Visitor) -> None:
    visitor.describe(CAT)
    visitor.page.click("#edit")
    visitor.page.fill("#draft", "Chelsea, a cat.")
    visitor.page.keyboard.press("Enter")
    reload(visitor)
    visitor.tile("chelsea.jpg").locator(".open").click()
    assert visitor.caption() == "Chelsea, a cat."
    assert not visitor.page.locator("#please-check").is_visible()


def test_search_finds_words_of_captions_and_file_names(visitor: Visitor) -> None:
    visitor.describe(CAT, CAMERA, COFFEE)
    visitor.page.click("#edit")
    visitor.page.fill("#draft", "Chelsea, a ginger cat.")
    visitor.page.keyboard.press("Enter")
    for words, found in (("GINGER cat", ["chelsea.jpg"]), ("camera.j", ["camera.jpg"]), ("xyzzy", [])):
        visitor.page.fill("#search", words)
        assert visitor.tiles() == found
        assert visitor.page.locator("#nothing-found").is_visible() == (not found)
        assert visitor.page.inner_text("#status") == f"{len(found)} of 3 photos"
    visitor.page.fill("#search", "")
    assert len(visitor.tiles()) == 3


def test_one_photo_is_removed_by_a_click_and_stays_away(visitor: Visitor) -> None:
    visitor.describe(CAT, CAMERA)
    visitor.page.get_by_role("button", name="Remove chelsea.jpg").click()
    assert visitor.tiles() == ["camera.jpg"]
    assert visitor.page.evaluate("document.activeElement.ariaLabel") == "Remove camera.jpg"
    assert not visitor.page.locator("#stage").is_visible()  # it was the one on the stage
    reload(visitor)
    assert visitor.tiles() == ["camera.jpg"]


def test_all_are_removed_only_once_confirmed(visitor: Visitor) -> None:
    visitor.describe(CAT, CAMERA)
    visitor.page.click("#remove-all")
    visitor.page.keyboard.press("Escape")
    visitor.page.click("#remove-all")
    visitor.page.get_by_role("button", name="Keep them").click()
    assert len(visitor.tiles()) == 2
    visitor.page.click("#remove-all")
    visitor.page.get_by_role("dialog").get_by_role("button", name="Remove all").click()
    visitor.page.wait_for_selector("#album", state="hidden")
    assert visitor.tiles() == []
    reload(visitor)
    assert visitor.tiles() == []


def test_export_has_file_caption_and_confidence_of_each(visitor: Visitor) -> None:
    with visitor.page.expect_response("**/predict") as answered:
        visitor.describe(CAT)
    visitor.describe(CAMERA)
    confidence = answered.value.json().get("confidence")
    rows = json.loads(export(visitor, "json"))
    assert [list(row) for row in rows] == [["file", "caption", "confidence"]] * 2
    assert [row["file"] for row in rows] == ["camera.jpg", "chelsea.jpg"]
    assert rows[0]["caption"] == visitor.caption() and rows[1]["confidence"] == confidence
    table = export(visitor, "csv")
    assert table.startswith("file,caption,confidence\r\n")
    as_text = [{name: "" if value is None else str(value) for name, value in row.items()} for row in rows]
    assert list(csv.DictReader(io.StringIO(table))) == as_text


def test_no_cell_of_the_csv_is_a_formula(visitor: Visitor) -> None:
    evils = ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "\r=1"]
    text = visitor.page.evaluate(
        """async (evils) => {
          const { toCsv } = await import("/static/js/table.js");
          const caption = (evil) => `${evil}, "quoted"\\nand broken`;
          return toCsv(evils.map((evil) => ({ file: evil, caption: caption(evil), confidence: 0.5 })));
        }""",
        evils,
    )
    rows = list(csv.reader(io.StringIO(text, newline="")))[1:]
    assert rows == [[f"'{evil}", f'\'{evil}, "quoted"\nand broken', "0.5"] for evil in evils]

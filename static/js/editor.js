// The caption in the visitor's own words.
import { byId } from "./dom.js";

export class Editor {
  item = null;
  #form = byId("editor");
  #draft = byId("draft");

  constructor(write) {
    byId("edit").addEventListener("click", () => this.#open());
    byId("discard").addEventListener("click", () => this.#finish());
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      const caption = this.#draft.value.replace(/\s+/g, " ").trim();
      if (caption && caption !== this.item.caption) write({ caption, confidence: null, edited: true });
      this.#finish();
    });
    this.#draft.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#finish();
      if (event.key !== "Enter" || event.isComposing) return;
      event.preventDefault();
      this.#form.requestSubmit();
    });
  }

  close() {
    this.#form.hidden = true;
    this.#form.parentElement.classList.remove("editing");
  }

  #open() {
    this.#draft.value = this.item.caption;
    this.#form.hidden = false;
    this.#form.parentElement.classList.add("editing");
    this.#draft.select();
    this.#draft.focus();
  }

  #finish() {
    this.close();
    byId("edit").focus();
  }
}

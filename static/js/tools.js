// What can be done with all photos: search them, save their captions, cancel or remove them.
import { isPending } from "./album.js";
import { announce } from "./announce.js";
import { byId, element } from "./dom.js";
import { toCsv, toJson } from "./table.js";

const KINDS = {
  csv: { write: toCsv, type: "text/csv;charset=utf-8" },
  json: { write: toJson, type: "application/json" },
};

export class AlbumTools {
  #album;
  #queue;
  #tiles;

  constructor(album, queue, tiles) {
    this.#album = album;
    this.#queue = queue;
    this.#tiles = tiles;
    for (const type of ["add", "change", "remove"]) album.addEventListener(type, () => this.#count());
    byId("search").addEventListener("input", () => this.#search());
    byId("cancel-all").addEventListener("click", () => this.#cancelAll());
    byId("remove-all").addEventListener("click", () => byId("confirm").showModal());
    byId("confirm").addEventListener("close", ({ target }) => target.returnValue === "remove" && this.#removeAll());
    for (const button of document.querySelectorAll("[data-export]")) {
      button.addEventListener("click", () => save(this.#described, button.dataset.export));
    }
  }

  get #described() {
    return this.#album.items.filter(({ state }) => state === "done");
  }

  #count() {
    const { items } = this.#album;
    const pending = items.filter(isPending).length;
    byId("album").hidden = byId("to-album").hidden = items.length === 0;
    byId("album-count").textContent = pending > 0 ? `${items.length - pending} of ${items.length} done` : photos(items);
    byId("to-album").textContent = `Your photos (${items.length})`;
    byId("cancel-all").classList.toggle("needless", pending < 2);
    for (const button of document.querySelectorAll("[data-export]")) button.disabled = this.#described.length === 0;
  }

  #search() {
    const found = this.#tiles.search(byId("search").value);
    byId("nothing-found").hidden = found > 0;
    announce(`${found} of ${photos(this.#album.items)}`);
  }

  #cancelAll() {
    this.#album.items.forEach((item) => this.#queue.cancel(item));
    byId("album").focus();
  }

  #removeAll() {
    byId("confirm").returnValue = "";
    this.#album.items.forEach((item) => this.#album.remove(item));
    announce("All photos are removed.");
    byId("image").focus();
  }
}

function photos({ length }) {
  return `${length} ${length === 1 ? "photo" : "photos"}`;
}

function save(items, kind) {
  const { write, type } = KINDS[kind];
  const address = URL.createObjectURL(new Blob([write(items)], { type }));
  element("a", { href: address, download: `captions.${kind}` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000); // the download reads it after the click
}

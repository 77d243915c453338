// The photo that is looked at, large, and its caption beside it.
import { isPending } from "./album.js";
import { announce } from "./announce.js";
import { Candidates } from "./candidates.js";
import { byId, showProgress } from "./dom.js";
import { Editor } from "./editor.js";
import { Sharing } from "./sharing.js";
import { Words } from "./words.js";
import { confidenceInWords } from "./wording.js";

const DOING = {
  waiting: "Waiting for its turn…",
  preparing: "Getting it ready…",
  sending: "Sending it…",
  looking: "Looking at it…",
};

export class Stage {
  #album;
  #item = null;
  #view = byId("stage");
  #words = new Words();
  #levels = JSON.parse(byId("confidence").dataset.levels);
  #editor;
  #candidates;
  #sharing = new Sharing();

  constructor(album, queue) {
    this.#album = album;
    const write = (changes) => album.update(this.#item, changes);
    this.#editor = new Editor(write);
    this.#candidates = new Candidates((chosen) => write({ ...chosen, edited: false }), this.#levels);
    album.addEventListener("change", ({ detail: item }) => this.#hear(item));
    album.addEventListener("remove", ({ detail: item }) => item === this.#item && this.#leave());
    byId("cancel").addEventListener("click", () => queue.cancel(this.#item));
    byId("retry").addEventListener("click", () => queue.retry(this.#item));
  }

  // An item of the album, by the visitor's own wish: the view goes there.
  open(item) {
    this.show(item);
    this.#view.focus({ preventScroll: true });
  }

  show(item) {
    this.#item = item;
    document.body.classList.add("working");
    this.#view.hidden = false;
    this.#editor.close();
    this.#draw();
    this.#view.scrollIntoView({ block: "nearest" });
    this.#album.dispatchEvent(new CustomEvent("show", { detail: item }));
  }

  #leave() {
    this.#item = null;
    this.#view.hidden = true;
  }

  #hear(item) {
    if (item.state === "done" && item.sent) announce(`${item.file}: ${item.caption}`);
    if (item.state === "failed") announce(`${item.file}: ${item.problem}`);
    if (item === this.#item) this.#draw();
  }

  #draw() {
    const item = this.#item;
    const state = isPending(item) ? "busy" : item.state;
    this.#view.dataset.state = state;
    this.#view.setAttribute("aria-busy", String(state === "busy"));
    this.#drawPhoto(item);
    showProgress(byId("progress"), item);
    const isDone = state === "done";
    byId("caption").textContent = isDone ? item.caption : DOING[item.state] ?? item.problem;
    byId("caption").classList.toggle("unseen", this.#words.show(isDone ? item : {}));
    byId("confidence").textContent = isDone ? confidenceInWords(item.confidence, this.#levels) : "";
    byId("please-check").hidden = !isDone || item.edited;
    this.#candidates.show(item);
    this.#editor.item = item;
    this.#sharing.item = isDone ? item : null;
  }

  #drawPhoto({ url, width, height, file }) {
    const photo = byId("photo");
    const isPicture = Boolean(url && width);
    photo.parentElement.classList.toggle("blank", !isPicture);
    photo.hidden = !isPicture;
    if (!isPicture || photo.src === url) return;
    photo.src = url;
    photo.alt = `Your photo, ${file}`;
    Object.assign(photo, { width, height });
    photo.parentElement.style.setProperty("--ratio", width / height);
    photo.parentElement.style.setProperty("--width", `${width}px`);
  }
}

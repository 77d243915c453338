// The album as tiles, the latest first: a photo on its way, one that failed, or one with its caption.
import { isPending } from "./album.js";
import { byId, element, showProgress } from "./dom.js";

const DOING = { waiting: "Waiting", preparing: "Getting ready", sending: "Sending", looking: "Looking" };

export class Tiles {
  #album;
  #queue;
  #open;
  #tiles = new Map();
  #search = "";

  constructor(album, queue, open) {
    this.#album = album;
    this.#queue = queue;
    this.#open = open;
    album.addEventListener("add", ({ detail: item }) => this.#insert(item));
    album.addEventListener("change", ({ detail: item }) => this.#draw(item));
    album.addEventListener("remove", ({ detail: item }) => this.#remove(item));
    album.addEventListener("show", ({ detail: item }) => this.#mark(item));
  }

  // How many tiles have these words in their caption or file name.
  search(words) {
    this.#search = words.trim().toLowerCase();
    const shown = this.#album.items.filter((item) => !this.#filter(item));
    return shown.length;
  }

  #insert(item) {
    const tile = build(item);
    tile.open.addEventListener("click", () => this.#open(item));
    tile.remove.addEventListener("click", () => this.#removeAndStay(item));
    tile.act.addEventListener("click", () => (isPending(item) ? this.#queue.cancel(item) : this.#queue.retry(item)));
    this.#tiles.set(item, tile);
    const items = this.#album.items;
    const next = items[items.indexOf(item) + 1];
    byId("tiles").insertBefore(tile.view, this.#tiles.get(next)?.view ?? null);
    this.#draw(item);
  }

  #draw(item) {
    const { view, open, image, text, progress, act } = this.#tiles.get(item);
    view.dataset.state = isPending(item) ? "busy" : item.state;
    if (item.url && item.width && image.src !== item.url) image.src = item.url;
    image.hidden = !(item.url && item.width);
    text.textContent = item.state === "done" ? item.caption : DOING[item.state] ?? item.problem;
    showProgress(progress, item);
    open.setAttribute("aria-label", `${item.file}: ${text.textContent}`);
    const verb = isPending(item) ? "Cancel" : "Try again";
    if (act.textContent !== verb) act.textContent = verb;
    act.setAttribute("aria-label", `${verb}: ${item.file}`);
    this.#filter(item);
  }

  // True if the search hides it.
  #filter(item) {
    const text = `${item.caption ?? ""} ${item.file}`.toLowerCase();
    return (this.#tiles.get(item).view.hidden = !this.#search.split(/\s+/).every((word) => text.includes(word)));
  }

  #removeAndStay(item) {
    const { view } = this.#tiles.get(item);
    const neighbour = view.nextElementSibling ?? view.previousElementSibling;
    this.#album.remove(item);
    (neighbour?.querySelector(".remove") ?? byId("image")).focus();
  }

  #remove(item) {
    this.#tiles.get(item).view.remove();
    this.#tiles.delete(item);
  }

  #mark(shown) {
    for (const [item, { open }] of this.#tiles) open.setAttribute("aria-current", String(item === shown));
  }
}

function build({ file }) {
  const image = element("img", { alt: "", loading: "lazy", decoding: "async", draggable: false, hidden: true });
  const text = element("span", { className: "tile-text" });
  const thumb = element("span", { className: "thumb" }, image);
  const open = element("button", { type: "button", className: "open" }, thumb, text);
  const progress = element("progress", { max: 1 });
  progress.setAttribute("aria-label", `Progress of ${file}`);
  const act = element("button", { type: "button", className: "act plain" });
  const remove = element("button", { type: "button", className: "remove plain", title: "Remove" }, "×");
  remove.setAttribute("aria-label", `Remove ${file}`);
  const name = element("span", { className: "tile-name", title: file }, file);
  const foot = element("div", { className: "tile-foot" }, name, progress, act, remove);
  const view = element("li", { className: "tile" }, open, foot);
  return { view, open, image, text, progress, act, remove };
}

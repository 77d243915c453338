// Every photo of this page, the latest first: on its way, failed, or with its caption.
//
// An item: id, added (ms), file (its name), source (the File, until it is described), photo (Blob), width, height,
// url (of the photo), state (waiting, preparing, sending, looking, done, failed, cancelled), sent (0 to 1), problem
// (words), caption, confidence, found ([{caption, confidence}], as the network said them) and attention.
//
// Events "add", "change" and "remove" carry the item in `detail`.

export const isPending = ({ state }) => ["waiting", "preparing", "sending", "looking"].includes(state);

export class Album extends EventTarget {
  #items = new Map();

  get items() {
    return [...this.#items.values()].sort((a, b) => b.added - a.added);
  }

  has(item) {
    return this.#items.has(item.id);
  }

  // The first of several files counts as the latest, so that they stand in the order they were chosen in.
  add(files) {
    const now = Date.now();
    const items = [...files].map((source, index) => {
      const added = now - index / 1000;
      const id = `${added}-${Math.random().toString(36).slice(2)}`;
      return { id, added, file: source.name, source, state: "waiting", sent: 0 };
    });
    items.toReversed().forEach((item) => this.#insert(item));
    return items;
  }

  restore(kept) {
    this.#insert({ ...kept, state: "done", sent: 1, url: kept.photo && URL.createObjectURL(kept.photo) });
  }

  update(item, changes) {
    if (changes.photo) item.url = URL.createObjectURL(changes.photo);
    Object.assign(item, changes);
    if (this.has(item)) this.#tell("change", item);
  }

  remove(item) {
    if (!this.#items.delete(item.id)) return;
    this.#tell("remove", item);
    if (item.url) URL.revokeObjectURL(item.url);
  }

  #insert(item) {
    this.#items.set(item.id, item);
    this.#tell("add", item);
  }

  #tell(type, item) {
    this.dispatchEvent(new CustomEvent(type, { detail: item }));
  }
}

// Photos wait here for their turn: a few at a time are shrunk, sent and looked at.
import { isPending } from "./album.js";
import { predict, Refusal } from "./api.js";
import { shrink } from "./shrink.js";
import { sentence } from "./wording.js";

const AT_ONCE = 2; // one is sent while the other is looked at

export class Queue {
  #album;
  #api;
  #maxMegabytes;
  #waiting = [];
  #running = new Map();
  #attention = true; // until the server says that its network has none

  constructor(album, { api, maxMegabytes }) {
    this.#album = album;
    this.#api = api;
    this.#maxMegabytes = Number(maxMegabytes);
    album.addEventListener("remove", ({ detail: item }) => this.#drop(item));
  }

  add(item) {
    this.#waiting.push(item);
    this.#next();
  }

  retry(item) {
    this.#album.update(item, { state: "waiting", sent: 0, problem: "" });
    this.add(item);
  }

  cancel(item) {
    if (!isPending(item)) return;
    this.#drop(item);
    this.#album.update(item, { state: "cancelled", problem: "Cancelled." });
  }

  #drop(item) {
    this.#waiting = this.#waiting.filter((other) => other !== item);
    this.#running.get(item)?.abort();
  }

  #next() {
    while (this.#running.size < AT_ONCE && this.#waiting.length > 0) this.#run(this.#waiting.shift());
  }

  async #run(item) {
    const controller = new AbortController();
    this.#running.set(item, controller);
    const change = (changes) => controller.signal.aborted || this.#album.update(item, changes);
    try {
      change(await this.#describe(item, controller.signal, change));
    } catch (error) {
      const words = error instanceof Refusal ? error.message : "This photo could not be described.";
      change({ state: "failed", problem: words });
    }
    if (this.#running.get(item) === controller) this.#running.delete(item); // else it was cancelled and tried again
    this.#next();
  }

  async #describe(item, signal, change) {
    change({ state: "preparing" });
    if (!item.width) change(await this.#prepare(item.source));
    const onSent = (sent) => change({ state: sent < 1 ? "sending" : "looking", sent });
    const answer = await this.#ask(item, { signal, onSent });
    const found = answer.captions.map(({ caption, confidence = null }) => ({ caption: sentence(caption), confidence }));
    return { state: "done", source: null, attention: answer.attention ?? null, found, ...found[0] };
  }

  async #prepare(file) {
    await file.slice(0, 1).arrayBuffer().catch(() => {
      throw new Refusal("This cannot be read. Is it a folder? Choose the photos in it.", "unreadable");
    });
    const prepared = await shrink(file);
    if (prepared.photo.size > this.#maxMegabytes * 2 ** 20) {
      throw new Refusal(`This file is larger than ${this.#maxMegabytes} MB: choose a smaller one.`, "too_large");
    }
    return prepared;
  }

  async #ask(item, { signal, onSent }) {
    const options = this.#attention ? { return_attention: "true" } : {};
    signal.throwIfAborted();
    try {
      return await predict(this.#api, item.photo ?? item.source, item.file, options, { signal, onSent });
    } catch (error) {
      if (error.code !== "no_attention") throw error;
      this.#attention = false;
      return this.#ask(item, { signal, onSent });
    }
  }
}

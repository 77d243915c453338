// Photos with captions, kept in this browser's IndexedDB: nowhere else.
const [DATABASE, ITEMS] = ["captioner", "items"];
const PICTURE = ["id", "added", "file", "photo", "width", "height"];
const KEPT = [...PICTURE, "caption", "confidence", "found", "attention", "edited"];

export class Store {
  #database;

  constructor(database) {
    this.#database = database;
  }

  // Rejects where a browser has no IndexedDB, or not for us.
  static async open() {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(ITEMS, { keyPath: "id" });
    return new Store(await settled(request));
  }

  all() {
    return settled(this.#items("readonly").getAll());
  }

  put(item) {
    return settled(this.#items("readwrite").put(Object.fromEntries(KEPT.map((name) => [name, item[name]]))));
  }

  remove(id) {
    return settled(this.#items("readwrite").delete(id));
  }

  #items(mode) {
    return this.#database.transaction(ITEMS, mode).objectStore(ITEMS);
  }
}

function settled(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

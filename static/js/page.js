// The page: puts its parts together. Each part does one thing and knows only what it is given here.
import { Album } from "./album.js";
import { announce, showError } from "./announce.js";
import { Intake } from "./intake.js";
import { Queue } from "./queue.js";
import { Stage } from "./stage.js";
import { Store } from "./store.js";
import { Tiles } from "./tiles.js";
import { AlbumTools } from "./tools.js";
import { byId } from "./dom.js";

const album = new Album();
const queue = new Queue(album, byId("form").dataset);
const stage = new Stage(album, queue);
const tiles = new Tiles(album, queue, (item) => stage.open(item));
new AlbumTools(album, queue, tiles);
new Intake(take);

// What has a caption is kept; what was removed is forgotten.
const store = Store.open();
album.addEventListener("change", ({ detail: item }) => item.state === "done" && keep((kept) => kept.put(item)));
album.addEventListener("remove", ({ detail: item }) => keep((kept) => kept.remove(item.id)));
store.then((kept) => kept.all()).then((items) => items.forEach((item) => album.restore(item)), warn).finally(ready);

function take(files) {
  showError("");
  const items = album.add(files);
  document.body.classList.add("working");
  byId("samples").open = false;
  stage.show(items[0]);
  announce(items.length > 1 ? `${items.length} photos added` : `Looking at ${items[0].file}`);
  items.forEach((item) => queue.add(item));
}

function keep(change) {
  store.then(
    (kept) => change(kept).catch(() => showError("This browser has no more room for photos: remove some of them.")),
    () => null, // it was said that nothing is kept
  );
}

function warn() {
  byId("album-note").textContent = "This browser keeps nothing for this page: close it, and they are gone.";
}

function ready() {
  document.documentElement.dataset.ready = "";
}

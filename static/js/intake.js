// Every way in: choose, take with the camera, drop anywhere, paste, or click a sample. Each ends in `take(files)`.
import { showError } from "./announce.js";
import { byId } from "./dom.js";

export class Intake {
  #take;

  constructor(take) {
    this.#take = (files) => files.length > 0 && take([...files]);
    byId("image").multiple = true; // without this script one photo at a time is sent
    for (const id of ["image", "camera"]) byId(id).addEventListener("change", ({ target }) => this.#choose(target));
    byId("form").addEventListener("submit", (event) => event.preventDefault());
    document.addEventListener("paste", (event) => this.#paste(event));
    for (const type of ["dragenter", "dragover", "dragleave", "drop"]) {
      document.addEventListener(type, (event) => this.#drag(event));
    }
    for (const button of document.querySelectorAll("[data-sample]")) {
      button.addEventListener("click", () => this.#sample(button.dataset.sample));
    }
  }

  #choose(input) {
    this.#take(input.files);
    input.value = ""; // so that the same photo may be chosen again
  }

  #paste(event) {
    const { files } = event.clipboardData;
    const isTyping = event.target.closest?.("input:not([type=file]), textarea");
    if (files.length > 0) {
      event.preventDefault();
      this.#take(files);
    } else if (!isTyping) {
      showError("There is no photo in the clipboard: copy the picture itself, not its address.");
    }
  }

  #drag(event) {
    const isOver = event.type !== "drop" && !(event.type === "dragleave" && !event.relatedTarget);
    if (!event.dataTransfer.types.includes("Files")) return this.#dragOther(event);
    event.preventDefault(); // the browser would leave the page for the photo
    document.body.classList.toggle("dragging", isOver);
    if (event.type === "drop") this.#take(event.dataTransfer.files);
  }

  // Text may be dropped where it can be typed; a picture of another page comes as its address only.
  #dragOther(event) {
    if (event.target.closest?.("input, textarea")) return;
    event.preventDefault();
    if (event.type === "drop") showError("That was no file: save the picture first, or copy and paste it.");
  }

  async #sample(address) {
    const name = address.split("/").at(-1);
    const response = await fetch(address).catch(() => null);
    if (!response?.ok) return showError("The server cannot be reached. Is it still running?");
    this.#take([new File([await response.blob()], name, { type: "image/jpeg" })]);
  }
}

// The caption taken elsewhere: copied as text, as an <img> tag or as Markdown, or read aloud.
import { byId } from "./dom.js";
import { imageTag, markdown } from "./wording.js";

const FORMS = {
  text: ({ caption }) => caption,
  tag: ({ file, caption }) => imageTag(file, caption),
  markdown: ({ file, caption }) => markdown(file, caption),
};

export class Sharing {
  #item = null;

  constructor() {
    for (const button of document.querySelectorAll("[data-copy]")) {
      button.addEventListener("click", () => this.#copy(FORMS[button.dataset.copy](this.#item), button));
    }
    byId("read-aloud").hidden = !("speechSynthesis" in window);
    byId("read-aloud").addEventListener("click", () => this.#read());
  }

  set item(item) {
    if (item === this.#item) return;
    this.#item = item;
    byId("copied").textContent = "";
    window.speechSynthesis?.cancel();
  }

  async #copy(text, button) {
    const done = (await writeToClipboard(text)) || copyBySelection(text);
    button.focus(); // a selection elsewhere takes it away
    byId("copied").textContent = done ? `Copied: ${text}` : `This browser does not let us copy. Here it is: ${text}`;
  }

  #read() {
    const speech = new SpeechSynthesisUtterance(this.#item.caption);
    speech.lang = "en";
    window.speechSynthesis.cancel(); // once more from the beginning
    window.speechSynthesis.speak(speech);
  }
}

async function writeToClipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false; // no https, or not allowed
  }
}

function copyBySelection(text) {
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "unseen";
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  return done;
}

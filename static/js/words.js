// A caption as words that can be pointed at, focused and tapped: each shows where the network looked when it said it.
import { byId, element } from "./dom.js";
import { shine, whereabouts } from "./spotlight.js";

const HINT = "Point at a word to see where the network looked.";

export class Words {
  #group = byId("words");
  #canvas = byId("spotlight");
  #says = byId("looking-at");
  #buttons = [];
  #pinned = null;

  constructor() {
    this.#group.addEventListener("keydown", (event) => this.#move(event));
    document.addEventListener("keydown", ({ key }) => key === "Escape" && this.#pin(null));
  }

  // False where there is nothing to show: no attention, or the caption is no longer the network's.
  show({ caption, attention }) {
    const places = attention && locate(attention.words, caption);
    this.#pin(null);
    this.#group.hidden = this.#says.hidden = !places;
    this.#buttons = [];
    this.#group.replaceChildren(...(places ? this.#spell(caption, places, attention.grid) : []));
    if (places) this.#buttons[0].tabIndex = 0;
    return Boolean(places);
  }

  #spell(caption, places, grid) {
    let end = 0;
    const parts = places.flatMap(({ start, length, weights }) => {
      const between = caption.slice(end, start);
      end = start + length;
      return [between, this.#button(caption.slice(start, end), weights, grid)];
    });
    return [...parts, caption.slice(end)];
  }

  #button(word, weights, grid) {
    const where = whereabouts(weights, grid);
    const button = element("button", { type: "button", className: "word", tabIndex: -1 }, word);
    button.setAttribute("aria-label", `${word}, looked at the ${where}`);
    button.setAttribute("aria-pressed", "false");
    const light = () => this.#light(button, weights, grid, `“${word}”: it looked at the ${where}.`);
    const dim = () => this.#pinned !== button && (this.#pinned ? this.#pinned.light() : this.#dim());
    button.light = light;
    button.addEventListener("pointerenter", light);
    button.addEventListener("focus", light);
    button.addEventListener("pointerleave", dim);
    button.addEventListener("blur", dim);
    button.addEventListener("click", () => this.#pin(this.#pinned === button ? null : button));
    this.#buttons.push(button);
    return button;
  }

  #light(button, weights, grid, says) {
    shine(this.#canvas, weights, grid);
    this.#canvas.classList.add("lit");
    this.#says.textContent = says;
    for (const each of this.#buttons) each.classList.toggle("lit", each === button);
  }

  #dim() {
    this.#canvas.classList.remove("lit");
    this.#says.textContent = HINT;
    for (const each of this.#buttons) each.classList.remove("lit");
  }

  // A click or a tap keeps the light on that word until the next one.
  #pin(button) {
    this.#pinned?.setAttribute("aria-pressed", "false");
    button?.setAttribute("aria-pressed", "true");
    this.#pinned = button;
    if (button) button.light();
    else this.#dim();
  }

  // One stop of the Tab key for all words; the arrows move between them.
  #move(event) {
    const here = this.#buttons.indexOf(document.activeElement);
    const last = this.#buttons.length - 1;
    const there = { ArrowRight: here + 1, ArrowLeft: here - 1, Home: 0, End: last }[event.key];
    if (here < 0 || there === undefined) return;
    event.preventDefault();
    this.#buttons[here].tabIndex = -1;
    const next = this.#buttons[Math.min(Math.max(there, 0), last)];
    next.tabIndex = 0;
    next.focus();
  }
}

// Where each word stands in the caption, in order; null if they do not spell it.
function locate(words, caption) {
  const text = caption.toLowerCase();
  let end = 0;
  const places = [];
  for (const { word, weights } of words) {
    const start = text.indexOf(word.toLowerCase(), end);
    if (start < 0 || /\w/.test(text.slice(end, start))) return null;
    end = start + word.length;
    places.push({ start, length: word.length, weights });
  }
  return places.length > 0 && !/\w/.test(text.slice(end)) ? places : null;
}

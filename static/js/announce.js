// What a screen reader hears, and the one place for words about the whole page.
import { byId } from "./dom.js";

export function announce(text) {
  byId("status").textContent = text;
}

export function showError(text) {
  byId("error").textContent = text;
  byId("error").hidden = !text;
}

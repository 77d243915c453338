// Other ways to put it, each with how sure the network is; one click takes it for the caption.
import { byId, element } from "./dom.js";
import { confidenceInWords } from "./wording.js";

export class Candidates {
  #choose;
  #levels;

  constructor(choose, levels) {
    this.#choose = choose;
    this.#levels = levels;
  }

  show({ state, found = [], caption }) {
    const others = found.filter((candidate) => candidate.caption !== caption);
    byId("others").hidden = others.length === 0;
    if (state !== "done") byId("others").open = false;
    byId("candidates").replaceChildren(...others.map((candidate) => this.#line(candidate)));
  }

  #line(candidate) {
    const button = element("button", { type: "button", className: "plain" }, "Take this");
    button.setAttribute("aria-label", `Take this: ${candidate.caption}`);
    button.addEventListener("click", () => {
      this.#choose(candidate);
      byId("others").querySelector("summary").focus(); // this button is gone
    });
    const sureness = element("span", { className: "quiet" }, confidenceInWords(candidate.confidence, this.#levels));
    return element("li", {}, element("span", {}, candidate.caption, " ", sureness), button);
  }
}

// The few lines that every other part would write again.
export const byId = (id) => document.getElementById(id);

// element("button", { type: "button", className: "plain" }, "Remove")
export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

// A bar that fills while a photo is sent, and only moves while nobody can tell how far it is.
export function showProgress(bar, { state, sent }) {
  if (state === "waiting" || state === "sending") bar.value = sent;
  else bar.removeAttribute("value");
}

// Captions a chosen or dropped photo in place. Without this script the form does the same with a page load.
"use strict";

document.documentElement.classList.add("js"); // at once, so that the page does not change under the reader

const byId = (id) => document.getElementById(id);
let running = new AbortController();

document.addEventListener("DOMContentLoaded", () => {
  byId("image").addEventListener("change", () => describe(byId("image").files));
  byId("photo").addEventListener("load", () => byId("result").scrollIntoView({ block: "nearest" }));

  // Anywhere on the page: a photo dropped beside the form would otherwise replace the page.
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    byId("form").classList.add("over");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) byId("form").classList.remove("over");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    byId("form").classList.remove("over");
    byId("image").files = event.dataTransfer.files; // the control shows the name
    describe(event.dataTransfer.files);
  });
});

async function describe(files) {
  running.abort(); // the photo chosen last is the one that counts
  if (files.length === 0) return;
  const { signal } = (running = new AbortController());
  const { api, maxMegabytes } = byId("form").dataset;
  if (files.length > 1) return showError("Send one photo at a time, please.");
  if (files[0].size > maxMegabytes * 2 ** 20) {
    return showError(`This file is larger than ${maxMegabytes} MB: choose a smaller one.`);
  }
  showBusy(files[0]);
  try {
    const captions = await ask(api, files[0], signal);
    if (!signal.aborted) showCaptions(captions);
  } catch (error) {
    if (!signal.aborted) showError(error.message);
  }
}

async function ask(api, photo, signal) {
  const body = new FormData();
  body.append("image", photo);
  const response = await fetch(api, { method: "POST", body, signal }).catch(() => {
    throw new Error("The server cannot be reached. Is it still running?");
  });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.detail || `The server answered with an error (${response.status}).`);
  return answer.captions.map((candidate) => candidate.caption);
}

function showBusy(photo) {
  const image = byId("photo");
  URL.revokeObjectURL(image.src);
  image.removeAttribute("width");
  image.removeAttribute("height");
  image.src = URL.createObjectURL(photo);
  image.alt = "Your photo";
  byId("error").hidden = true;
  byId("more").hidden = true;
  byId("result").hidden = false;
  byId("result").classList.add("busy");
  byId("caption").textContent = "Looking at it…";
}

function showCaptions([best, ...others]) {
  byId("result").classList.remove("busy");
  byId("caption").textContent = best;
  byId("candidates").replaceChildren(...others.map(listItem));
  byId("others").hidden = others.length === 0;
  byId("more").hidden = false;
}

function listItem(text) {
  const item = document.createElement("li");
  item.textContent = text;
  return item;
}

function showError(message) {
  byId("result").hidden = true;
  byId("error").textContent = message;
  byId("error").hidden = false;
}

// Text in, text out: how a caption is written here and elsewhere.

// The network writes lower case without punctuation; templates/sentence.html does the same for the page as served.
export function sentence(caption) {
  return caption && `${caption[0].toUpperCase()}${caption.slice(1)}.`;
}

// `levels` are [least, words] from the surest down, as the page holds them.
export function confidenceInWords(confidence, levels) {
  if (typeof confidence !== "number") return "";
  const [, words] = levels.find(([least]) => confidence >= least) ?? levels.at(-1);
  return `${words}: ${Math.round(100 * confidence)}\u00a0%`;
}

export function imageTag(file, caption) {
  return `<img src="${escapeHtml(encodePath(file))}" alt="${escapeHtml(caption)}">`;
}

export function markdown(file, caption) {
  const alt = caption.replace(/\s+/g, " ").replace(/[\\`*_[\]<>&!~|]/g, "\\$&");
  return `![${alt}](${encodePath(file)})`;
}

// Words that end lines or close brackets in HTML and Markdown alike must not come from a file's name.
function encodePath(file) {
  return encodeURIComponent(file).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}

function escapeHtml(text) {
  const names = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  return text.replace(/[&<>"']/g, (sign) => names[sign]);
}

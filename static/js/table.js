// The album as CSV and JSON: file, caption, confidence.
const COLUMNS = ["file", "caption", "confidence"];

export function toJson(items) {
  return JSON.stringify(items.map(row), null, 2) + "\n";
}

export function toCsv(items) {
  const rows = items.map((item) => COLUMNS.map((column) => cell(row(item)[column])));
  return [COLUMNS, ...rows].map((cells) => `${cells.join(",")}\r\n`).join("");
}

// A caption that a person wrote has no confidence.
function row({ file, caption, confidence }) {
  return { file, caption, confidence: confidence ?? null };
}

// A spreadsheet would run text that begins like a formula: the apostrophe keeps it text.
function cell(value) {
  const text = typeof value === "string" ? value.replace(/^(?=\s*[=+\-@\t\r\n])/, "'") : String(value ?? "");
  return /[",\r\n']/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

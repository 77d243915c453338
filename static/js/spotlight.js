// Darkens a photo but for where the network looked: the 7x7 grid of a word, drawn softly.
const CELLS = 12; // pixels of the canvas a cell of the grid; the browser smooths the rest
const DARKEST = 0.75;
const LIFT = 0.7; // below 1, so that what was looked at a little is still seen
const SPREAD = 0.55; // of a cell's own light, in cells

export function shine(canvas, weights, [rows, columns]) {
  canvas.width = columns * CELLS;
  canvas.height = rows * CELLS;
  const brightness = soften(weights, rows, columns);
  const least = Math.min(...brightness);
  const range = Math.max(...brightness) - least || 1;
  const context = canvas.getContext("2d");
  const picture = context.createImageData(canvas.width, canvas.height);
  brightness.forEach((light, index) => {
    picture.data[4 * index + 3] = 255 * DARKEST * (1 - ((light - least) / range) ** LIFT);
  });
  context.putImageData(picture, 0, 0);
}

// Each cell as a round lamp: the sum of their lights at every pixel.
function soften(weights, rows, columns) {
  const along = (count) => {
    const place = (pixel) => (pixel + 0.5) / CELLS - 0.5;
    const lamp = (pixel, cell) => Math.exp(-((place(pixel) - cell) ** 2) / (2 * SPREAD ** 2));
    const lampsAt = (pixel) => Array.from({ length: count }, (_, cell) => lamp(pixel, cell));
    return Array.from({ length: count * CELLS }, (_, pixel) => lampsAt(pixel));
  };
  const [down, across] = [along(rows), along(columns)];
  return down.flatMap((lampsDown) =>
    across.map((lampsAcross) =>
      weights.reduce((sum, weight, cell) => {
        return sum + weight * lampsDown[Math.floor(cell / columns)] * lampsAcross[cell % columns];
      }, 0),
    ),
  );
}

// The same in words, for those who do not see it: where the middle of the light is.
export function whereabouts(weights, [rows, columns]) {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const middle = (place) => weights.reduce((sum, weight, cell) => sum + weight * place(cell), 0) / total;
  const third = (value, names) => names[value < 0.4 ? 0 : value > 0.6 ? 2 : 1];
  const vertical = third(middle((cell) => (Math.floor(cell / columns) + 0.5) / rows), ["top", "", "bottom"]);
  const horizontal = third(middle((cell) => ((cell % columns) + 0.5) / columns), ["left", "", "right"]);
  return [vertical, horizontal].filter(Boolean).join(" ") || "middle";
}

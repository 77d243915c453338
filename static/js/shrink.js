// A large photo, made small before it is sent: upright, 1,024 pixels on its longer side, never less.
export const LONGEST_SIDE = 1024;
const QUALITY = 0.9;
const SERVED = ["image/jpeg", "image/png", "image/webp", "image/gif", "image/bmp"];

// { photo: Blob, width, height }. A photo that is small enough, and of a kind that the server reads, stays as it is.
// What this browser cannot decode comes back without a size: the server finds the words for it.
export async function shrink(file) {
  const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" }).catch(() => null);
  if (!bitmap) return { photo: file };
  const scale = LONGEST_SIDE / Math.max(bitmap.width, bitmap.height);
  const size = { width: bitmap.width, height: bitmap.height };
  if (scale >= 1 && SERVED.includes(file.type)) {
    bitmap.close();
    return { photo: file, ...size };
  }
  return redraw(bitmap, Math.min(1, scale));
}

async function redraw(bitmap, scale) {
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d");
  context.fillStyle = "white"; // as the server does with what is transparent
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  const photo = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
  return { photo, width: canvas.width, height: canvas.height };
}

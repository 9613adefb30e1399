// Shows the chosen picture as it will be cut, lets the cut be moved and sized, and sends only that square.
const form = document.querySelector("form[data-picture]");
const input = form.querySelector("input[type=file]");
const editor = form.querySelector("[data-crop]");
const canvas = editor.querySelector("canvas");
const zoom = editor.querySelector("input[type=range]");
const size = canvas.width;
const context = canvas.getContext("2d");
let picture, x = 0, y = 0, grip;

function scale() {
  return (size / Math.min(picture.width, picture.height)) * Number(zoom.value);
}

function draw() {
  const [width, height] = [picture.width * scale(), picture.height * scale()];
  x = Math.min(0, Math.max(size - width, x));
  y = Math.min(0, Math.max(size - height, y));
  context.clearRect(0, 0, size, size);
  context.drawImage(picture, x, y, width, height);
}

input.addEventListener("change", async () => {
  editor.hidden = true;
  picture = undefined;
  const [file] = input.files;
  if (!file) return;
  try {
    picture = await createImageBitmap(file);
  } catch {
    return; // The server says what it thinks of it.
  }
  zoom.value = 1;
  x = (size - picture.width * scale()) / 2;
  y = (size - picture.height * scale()) / 2;
  editor.hidden = false;
  draw();
});

zoom.addEventListener("input", draw);
/** Where the pointer is, in pixels of the canvas, which is shown smaller where there is no room. */
function pointer(event) {
  const shown = size / canvas.clientWidth;
  return { x: event.clientX * shown, y: event.clientY * shown };
}

canvas.addEventListener("pointerdown", (event) => {
  const at = pointer(event);
  grip = { x: at.x - x, y: at.y - y };
  canvas.setPointerCapture(event.pointerId);
});
canvas.addEventListener("pointermove", (event) => {
  if (!grip) return;
  const at = pointer(event);
  [x, y] = [at.x - grip.x, at.y - grip.y];
  draw();
});
canvas.addEventListener("pointerup", () => { grip = undefined; });
canvas.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: [-8, 0], ArrowRight: [8, 0], ArrowUp: [0, -8], ArrowDown: [0, 8] }[event.key];
  if (!step || !picture) return;
  event.preventDefault();
  [x, y] = [x + step[0], y + step[1]];
  draw();
});

// The cut square takes the file's place, so that the form is sent as ever.
let cut = false;
form.addEventListener("submit", (event) => {
  if (!picture || cut || event.defaultPrevented) return;
  event.preventDefault();
  canvas.toBlob((blob) => {
    if (blob) {
      const files = new DataTransfer();
      files.items.add(new File([blob], "picture.png", { type: "image/png" }));
      input.files = files.files;
    }
    cut = true;
    form.submit();
  }, "image/png");
});

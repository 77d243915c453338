// POST /predict, with the progress that fetch() does not tell. Errors are in words for people, their code in `code`.
export class Refusal extends Error {
  constructor(message, code) {
    super(message);
    this.code = code;
  }
}

export function predict(address, photo, name, options, { signal, onSent }) {
  const body = new FormData();
  for (const [option, value] of Object.entries(options)) body.append(option, value);
  body.append("image", photo, name);
  const request = new XMLHttpRequest();
  request.open("POST", address);
  request.responseType = "json";
  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => request.abort());
    request.upload.onprogress = ({ loaded, total }) => onSent(total ? loaded / total : 0);
    request.upload.onload = () => onSent(1);
    request.onerror = () => reject(new Refusal("The server cannot be reached. Is it still running?", "unreachable"));
    request.onabort = () => reject(signal.reason);
    request.onload = () => {
      if (request.status === 200 && request.response) resolve(request.response);
      else reject(refusal(request));
    };
    request.send(body);
  });
}

function refusal({ status, response }) {
  const words = response?.detail ?? `The server answered with an error (${status}). Try again later.`;
  return new Refusal(words, response?.code);
}

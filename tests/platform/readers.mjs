// What readers in JavaScript say of a file's datasets: node readers.mjs jsfive|h5wasm FOLDER FILE PATH...
// FOLDER has the packages. Prints JSON: by path, the shape and the values as text, or why it cannot be read.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [reader, folder, name, ...paths] = process.argv.slice(2);
const packages = createRequire(pathToFileURL(`${folder}/`));

async function open() {
  if (reader === "jsfive") {
    const bytes = readFileSync(name);
    const { File } = packages("jsfive");
    return new File(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length), name);
  }
  const h5wasm = await import(pathToFileURL(`${folder}/node_modules/h5wasm/dist/node/hdf5_hl.js`));
  await h5wasm.ready;
  return new h5wasm.File(name, "r");
}

function texts(value) {
  if (value !== null && typeof value === "object")
    return Array.from(value).flatMap(texts);
  return [Object.is(value, -0) ? "-0" : String(value)];
}

const file = await open();
const said = {};
for (const path of paths) {
  try {
    const dataset = file.get(path);
    said[path] = { shape: Array.from(dataset.shape, Number), values: texts(dataset.value) };
  } catch (error) {
    said[path] = { error: String(error) };
  }
}
process.stdout.write(JSON.stringify(said));

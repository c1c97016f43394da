// The npm package as others take it: by Node, by TypeScript, and through four bundlers.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";

const here = fileURLToPath(new URL(".", import.meta.url));
const to = await mkdtemp(join(tmpdir(), "hustings-npm-"));
after(() => rm(to, { recursive: true }));

const wasm = await readFile(new URL(import.meta.resolve("hustings/hustings_bg.wasm")));

/** Without a browser it is there, in memory only, and says what is missing for a poll. */
async function works(opened) {
    assert.equal(opened.storage, "memory");
    assert.match(opened.me, /^[a-z2-7]{52}$/);
    await assert.rejects(opened.create({ title: "Tea?", options: ["Yes", "No"] }), error => {
        assert.equal(error.name, "HustingsError");
        assert.equal(error.code, "no-window");
        return true;
    });
    await assert.rejects(opened.join("tea"), { name: "HustingsError", code: "bad-argument" });
    await opened.close();
}

/** The bundle is complete, its wasm is the package's, and it runs. */
async function runs(folder, { wasmIs = /\.wasm$/ } = {}) {
    const names = await readdir(folder, { recursive: true });
    const emitted = names.find(name => wasmIs.test(name));
    assert.ok(emitted, `no wasm among ${names}`);
    assert.deepEqual(await readFile(join(folder, emitted)), wasm);
    const bundle = await import(pathToFileURL(join(folder, names.find(name => /page\.m?js$/.test(name)))));
    await works(await bundle.open(wasm));
}

test("Node imports it, and is told what only browsers have", async () => {
    const { default: init, Hustings } = await import("hustings");
    await init({ module_or_path: wasm });
    await works(await Hustings.open());
    const inside = createRequire(import.meta.url)("hustings/package.json");
    assert.equal(inside.name, "hustings");
    await assert.rejects(import("hustings/hustings_bg.js"), { code: "ERR_PACKAGE_PATH_NOT_EXPORTED" });
});

test("the examples of the README are those that are compiled", async () => {
    const readme = await readFile(join(here, "../../README.md"), "utf8");
    for (const example of ["react.ts", "svelte.ts"]) {
        assert.ok(readme.includes(await readFile(join(here, example), "utf8")), example);
    }
});

for (const module of ["bundler", "nodenext"]) {
    test(`TypeScript is strict with its types, for ES2022 (${module})`, async () => {
        const args = "--strict --noUncheckedIndexedAccess --exactOptionalPropertyTypes --target ES2022 --noEmit --types react";
        const resolution = ["--moduleResolution", module, "--module", module === "bundler" ? "ESNext" : "NodeNext"];
        const files = ["use.ts", "react.ts", "svelte.ts"];
        const tsc = join(here, "node_modules/typescript/bin/tsc");
        const compile = promisify(execFile)(process.execPath, [tsc, ...args.split(" "), ...resolution, ...files], { cwd: here });
        await compile.catch(error => assert.fail(error.stdout + error.stderr));
    });
}

test("Vite builds a page with it", async () => {
    const { build } = await import("vite");
    const outDir = join(to, "vite");
    await build({
        root: here, configFile: false, logLevel: "error",
        build: {
            outDir, target: "es2022", assetsInlineLimit: 0, modulePreload: false,
            rollupOptions: { input: join(here, "page.js"), preserveEntrySignatures: "strict", output: { entryFileNames: "page.mjs" } },
        },
    });
    await runs(outDir);
});

test("webpack builds a page with it", async () => {
    const { default: webpack } = await import("webpack");
    const path = join(to, "webpack");
    const stats = await promisify(webpack)({
        context: here, entry: "./page.js", mode: "production", target: ["web", "es2022"], performance: false,
        experiments: { outputModule: true },
        output: { path, filename: "page.mjs", module: true, library: { type: "module" } },
    });
    assert.deepEqual(stats.toJson({ all: false, errors: true, warnings: true }).errors, []);
    assert.deepEqual(stats.toJson({ all: false, errors: true, warnings: true }).warnings, []);
    await runs(path);
});

test("esbuild builds a page with it", async () => {
    const { build } = await import("esbuild");
    const outdir = join(to, "esbuild");
    const { warnings } = await build({
        absWorkingDir: here, entryPoints: { page: "page-with-address.js" }, outdir, bundle: true, format: "esm", target: "es2022",
        loader: { ".wasm": "file" }, outExtension: { ".js": ".mjs" }, logLevel: "silent",
    });
    assert.deepEqual(warnings, []);
    await runs(outdir);
});

test("rollup builds a page with it", async () => {
    const [{ rollup }, { nodeResolve }] = [await import("rollup"), await import("@rollup/plugin-node-resolve")];
    const dir = join(to, "rollup");
    // As @rollup/plugin-url does.
    const files = {
        name: "files",
        async load(id) {
            if (!id.endsWith(".wasm")) return null;
            const file = this.emitFile({ type: "asset", name: "hustings_bg.wasm", source: await readFile(id) });
            return `export default import.meta.ROLLUP_FILE_URL_${file}`;
        },
    };
    const warnings = [];
    const built = await rollup({
        input: { page: join(here, "page-with-address.js") }, plugins: [nodeResolve(), files],
        onwarn: warning => warnings.push(warning.message),
    });
    await built.write({ dir, format: "es", entryFileNames: "[name].mjs" });
    await built.close();
    assert.deepEqual(warnings, []);
    await runs(dir);
});

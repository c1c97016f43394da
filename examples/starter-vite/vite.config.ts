import { defineConfig } from "vite";

export default defineConfig({
    // The package is linked into node_modules. Where the link leads is outside of this folder, and from there
    // Vite would not serve its wasm.
    resolve: { preserveSymlinks: true },
    // Bundled in advance, a package that is built anew would go unnoticed.
    optimizeDeps: { exclude: ["hustings"] },
});

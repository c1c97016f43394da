// A page that takes the package, as every bundler gets it.

import init, { Hustings } from "hustings";

/** Loads the wasm from where the bundler has put it, or takes its bytes, and opens the app. */
export async function open(wasm) {
    await init(wasm && { module_or_path: wasm });
    return Hustings.open({ profile: "a page" });
}

// The same for bundlers that leave `new URL(…, import.meta.url)` as it is: they give the wasm's address.

import init, { Hustings } from "hustings";
import address from "hustings/hustings_bg.wasm";

export { address };

export async function open(wasm) {
    await init({ module_or_path: wasm ?? new URL(address, import.meta.url) });
    return Hustings.open({ profile: "a page" });
}

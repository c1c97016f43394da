//! One target under libFuzzer: `HUSTINGS_TARGET` names it, the arguments are libFuzzer's.
//!
//! `cargo xtask fuzz` builds it with coverage, and starts it. In any other build it is empty.

#![cfg_attr(hustings_fuzz, no_main)]

#[cfg(hustings_fuzz)]
#[allow(unsafe_code, reason = "the name of the function that libFuzzer calls")]
mod under_libfuzzer {
    use std::sync::OnceLock;

    use hustings_fuzz::Target;

    static TARGET: OnceLock<Target> = OnceLock::new();

    libfuzzer_sys::fuzz_target!(
        init: {
            let name = std::env::var("HUSTINGS_TARGET").unwrap_or_default();
            let target = hustings_fuzz::target(&name);
            let _ = TARGET.set(target.unwrap_or_else(|| panic!("there is no target {name:?}")));
        },
        |bytes: &[u8]| {
            if let Some(target) = TARGET.get() {
                target.run_quickly(bytes);
            }
        }
    );
}

#[cfg(not(hustings_fuzz))]
fn main() {
    eprintln!("error: without coverage this finds nothing; use cargo xtask fuzz");
}

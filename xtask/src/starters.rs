//! The pages to start from, built as those do who start from them.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::error::Error;
use crate::{package, process, setup, wasm};

/// The name of the step.
pub(crate) const WHAT: &str = "the starters build, and the npm package is taken";

/// Builds both, and tests the npm package. The one in TypeScript and the tests need npm, and are
/// left out without it. The package is the small one, which the scenarios in browsers need anyway.
pub(crate) fn build() -> Result<(), Error> {
    trunk()?;
    let vite = "examples/starter-vite, against the npm package";
    let npm = "the npm package, by Node, TypeScript and four bundlers";
    if !process::has_npm() {
        for what in [vite, npm] {
            eprintln!("==> {what}: LEFT OUT, it needs Node.js and npm");
        }
        return Ok(());
    }
    package::build(package::Speed::Small)?;
    process::step(vite, || {
        process::npm("examples/starter-vite", &["ci", "--no-audit", "--no-fund"])?;
        process::npm("examples/starter-vite", &["run", "build"])
    })?;
    process::step(npm, || {
        process::npm(
            "examples/poll-js/tests/npm",
            &["ci", "--no-audit", "--no-fund"],
        )?;
        process::npm("examples/poll-js/tests/npm", &["test"])
    })
}

/// Does the same as `trunk build`: trunk itself takes longer to install than everything here to
/// build.
fn trunk() -> Result<(), Error> {
    let cargo = setup::wasm()?;
    let tool = process::step("build wasm-bindgen", wasm::tool)?;
    process::step("examples/starter-trunk, without trunk", || {
        let folder = process::root().join("examples/starter-trunk");
        let page = folder.join("index.html");
        let html = fs::read_to_string(&page).map_err(Error::file("read", &page))?;
        let (manifest, html) = linked(&html)?;
        let mut build = cargo.command();
        build.env("CARGO_PROFILE_DEV_DEBUG", "0").args([
            "build",
            "--target",
            setup::WASM,
            "--manifest-path",
        ]);
        process::run(build.arg(folder.join(manifest)))?;
        let to = process::scratch()?.join("starter-trunk");
        bind(&tool, &to)?;
        let page = to.join("index.html");
        fs::write(&page, html).map_err(Error::file("write", &page))
    })
}

fn bind(tool: &Path, to: &Path) -> Result<(), Error> {
    let built = process::target()
        .join(setup::WASM)
        .join("debug/hustings_starter_trunk.wasm");
    let mut bindgen = Command::new(tool);
    bindgen.args(["bindgen", "--target", "web", "--no-typescript"]);
    bindgen.args(["--out-name", "app", "--out-dir"]).arg(to);
    process::run(bindgen.arg(built))
}

/// The manifest that a page's link for trunk names, and the page as it is served: with a script in
/// place of the link.
fn linked(html: &str) -> Result<(&str, String), Error> {
    const LINK: (&str, &str) = (r#"<link data-trunk rel="rust" href=""#, r#"" />"#);
    const SCRIPT: &str = r#"<script type="module">import init from "./app.js"; init();</script>"#;
    let link = html.split_once(LINK.0).and_then(|(before, rest)| {
        let (manifest, after) = rest.split_once(LINK.1)?;
        Some((manifest, format!("{before}{SCRIPT}{after}")))
    });
    link.ok_or_else(|| {
        let (start, end) = LINK;
        Error::Because(format!("the page has no {start}Cargo.toml{end} for trunk"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_for_trunk_becomes_a_script() {
        let html = r#"<head><link data-trunk rel="rust" href="a/Cargo.toml" /></head>"#;
        let (manifest, page) = linked(html).unwrap();
        assert_eq!(manifest, "a/Cargo.toml");
        assert!(page.starts_with("<head><script") && page.ends_with("</script></head>"));
        let error = linked("<head></head>").unwrap_err().to_string();
        assert!(error.starts_with("the page has no <link data-trunk"));
    }
}

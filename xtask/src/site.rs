//! The web app as a folder of files that any web server can serve.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::broker::Broker;
use crate::error::Error;
use crate::{hashed, process, setup, wasm};

/// The folder of the app.
const APP: &str = "poll-web";
/// The files that a browser keeps for good, beside the parts of the app, each after those that it
/// names.
const KEPT: [&str; 5] = [
    "parts.js",
    "poll-web_bg.wasm",
    "poll-web.js",
    "icon.svg",
    "style.css",
];
/// The name that the wasm has for what loads its parts.
const LOADER: &str = "split.js";
/// What names the others, and is asked for each time.
const ASKED_FOR: [&str; 2] = ["boot.js", "index.html"];

/// The content of the page's `<meta>` elements; an empty one stays as it is in the page.
#[derive(Default)]
pub(crate) struct Settings {
    /// The signalling server, if it is not at the page's own origin.
    pub(crate) peerserver: Option<String>,
    /// The beginning of the links that people share, if not the page's own address.
    pub(crate) share: Option<String>,
}

/// Builds the app, and returns the folder that it is in.
pub(crate) fn build(settings: &Settings) -> Result<PathBuf, Error> {
    let cargo = setup::wasm()?;
    let tool = process::step("build wasm-bindgen", wasm::tool)?;
    let mut build = cargo.build_to_split("hustings-poll-web");
    process::step("build examples/poll-web", || process::run(&mut build))?;
    let (to, parts) = (
        process::scratch()?.join("site"),
        process::scratch()?.join("parts"),
    );
    process::step("make the site", || {
        // What an earlier version has left would be served, too.
        for folder in [&to, &parts] {
            if folder.exists() {
                fs::remove_dir_all(folder).map_err(Error::file("remove", folder))?;
            }
            fs::create_dir_all(folder).map_err(Error::file("make", folder))?;
        }
        let later = taken_apart(&tool, &parts, &to)?;
        pages(&to, settings)?;
        let kept: Vec<_> = later.iter().map(String::as_str).chain(KEPT).collect();
        hashed::names(&to, &kept, &ASKED_FOR)
    })?;
    process::step("compress the site", || {
        let mut compress = Command::new(&tool);
        process::run(compress.arg("compress").args(files(&to)?))
    })?;
    Ok(to)
}

/// Takes the app apart, and makes the bindings of what is loaded at once. Returns the names of the
/// parts that come later.
fn taken_apart(tool: &Path, parts: &Path, to: &Path) -> Result<Vec<String>, Error> {
    let mut split = Command::new(tool);
    split.arg("split").arg(wasm::built("poll-web.wasm"));
    process::run(split.arg(parts))?;
    let (main, loader) = (parts.join("poll-web.wasm"), parts.join(LOADER));
    wasm::bindings_of_split(tool, &main, to)?;
    // The wasm asks for it by its old name, which stays that of the imports in the glue.
    let glue = to.join("poll-web.js");
    let text = fs::read_to_string(&glue).map_err(Error::file("read", &glue))?;
    let text = text.replace(&format!("from \"./{LOADER}\""), "from \"./parts.js\"");
    fs::write(&glue, text).map_err(Error::file("write", &glue))?;
    fs::copy(&loader, to.join("parts.js")).map_err(Error::file("copy", &loader))?;
    let mut names = Vec::new();
    for part in files(parts)? {
        if part == main || part == loader {
            continue;
        }
        if let Some(name) = part.file_name().and_then(|name| name.to_str()) {
            fs::copy(&part, to.join(name)).map_err(Error::file("copy", &part))?;
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

/// Everything in the folder, sorted by name.
fn files(site: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = fs::read_dir(site).and_then(|entries| {
        let paths = entries.map(|entry| entry.map(|entry| entry.path()));
        paths.collect::<io::Result<Vec<_>>>()
    });
    let mut files = entries.map_err(Error::file("read", site))?;
    files.sort();
    Ok(files)
}

/// Puts the files beside the wasm that are served as they are.
fn pages(to: &Path, settings: &Settings) -> Result<(), Error> {
    let from = process::root().join("examples").join(APP).join("pages");
    for entry in fs::read_dir(&from).map_err(Error::file("read", &from))? {
        let file = entry.map_err(Error::file("read", &from))?.path();
        let Some(name) = file.file_name() else {
            continue;
        };
        fs::copy(&file, to.join(name)).map_err(Error::file("copy", &file))?;
    }
    let index = to.join("index.html");
    let mut page = fs::read_to_string(&index).map_err(Error::file("read", &index))?;
    for (name, value) in [
        ("peerserver", &settings.peerserver),
        ("share", &settings.share),
    ] {
        if let Some(value) = value {
            page = set(&page, name, value);
        }
    }
    fs::write(&index, page).map_err(Error::file("write", &index))
}

/// The page with this value in the `<meta>` of this name.
fn set(page: &str, name: &str, value: &str) -> String {
    let value = value.replace('&', "&amp;").replace('"', "&quot;");
    let meta = |value: &str| format!("<meta name=\"{name}\" content=\"{value}\">");
    page.replace(&meta(""), &meta(&value))
}

/// Builds the app, sees whether it is served well, and says how large it is.
pub(crate) fn run() -> Result<(), Error> {
    let site = check()?;
    let is_compressed = |path: &PathBuf| {
        let kind = path.extension().and_then(|kind| kind.to_str());
        matches!(kind, Some("br" | "gz"))
    };
    let mut files = files(&site)?;
    files.retain(|path| !is_compressed(path));
    let mut size = Command::new(wasm::tool()?);
    size.arg("size").args(files);
    println!("{}", wasm::SIZES);
    process::run(&mut size)?;
    println!("{}", site.display());
    Ok(())
}

/// Checks that the app builds and is served as browsers need it, with the signalling at the same
/// origin. Returns the app's folder.
pub(crate) fn check() -> Result<PathBuf, Error> {
    let site = build(&Settings::default())?;
    let server = Broker::with_pages(&site)?;
    // The names of the others have a hash in them; they stand in the page.
    let index = site.join("index.html");
    let page = fs::read_to_string(&index).map_err(Error::file("read", &index))?;
    let named = |kind: &str| -> Result<String, Error> {
        let mut quoted = page.split('"').skip(1).step_by(2);
        let name = quoted.find(|text| text.ends_with(kind) && *text != ASKED_FOR[0]);
        let missing = || Error::Because(format!("the page names no file of the kind {kind}"));
        Ok(format!("/{}", name.ok_or_else(missing)?))
    };
    for (path, kind, begin) in [
        ("/".to_owned(), "text/html", "<!doctype html>"),
        ("/boot.js".to_owned(), "text/javascript", "//"),
        (named(".js")?, "text/javascript", ""),
        (named(".wasm")?, "application/wasm", "\0asm"),
        (named(".css")?, "text/css", "/*"),
        ("/peerjs/id".to_owned(), "text/plain", ""),
    ] {
        let answer = get(server.port(), &path)?;
        let is_fine = answer.starts_with("HTTP/1.1 200 ")
            && answer.contains(&format!("\r\ncontent-type: {kind}"))
            && answer.contains(&format!("\r\n\r\n{begin}"));
        if !is_fine {
            let head = answer.split("\r\n\r\n").next().unwrap_or_default();
            return Err(Error::Because(format!(
                "{path} is not served as {kind}:\n{head}"
            )));
        }
    }
    Ok(site)
}

/// The answer of a server on this machine.
fn get(port: u16, path: &str) -> Result<String, Error> {
    let ask = || {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    ask().map_err(|error: io::Error| Error::Because(format!("{path} is not served: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_in_the_page_and_stays_a_text() {
        let page = fs::read_to_string(process::root().join("examples/poll-web/pages/index.html"));
        let page = page.unwrap_or_default();
        let set = set(&page, "peerserver", "http://a/?\"b\"&c");
        assert!(
            set.contains(r#"<meta name="peerserver" content="http://a/?&quot;b&quot;&amp;c">"#)
        );
        assert_ne!(page, set);
    }
}

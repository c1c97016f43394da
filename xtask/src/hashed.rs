//! File names with a hash of the content, so that a browser may keep such a file for good, and never
//! puts the parts of two builds together.

use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::path::Path;

use crate::error::Error;

/// Gives these files of `folder` names that are other ones with other content (`app.js` becomes
/// `app-0123456789abcdef.js`), and writes the new names wherever the others, and the `pages`, have
/// the old ones.
///
/// A file comes before those that name it. Returns the new names, in the same order.
pub(crate) fn names(folder: &Path, files: &[&str], pages: &[&str]) -> Result<Vec<String>, Error> {
    let mut renamed: Vec<(&str, String)> = Vec::new();
    for file in files {
        let path = folder.join(file);
        let content = fs::read(&path).map_err(Error::file("read", &path))?;
        let content = with_names(content, &renamed);
        let name = name(file, &content);
        let to = folder.join(&name);
        fs::write(&to, content).map_err(Error::file("write", &to))?;
        fs::remove_file(&path).map_err(Error::file("remove", &path))?;
        renamed.push((file, name));
    }
    for page in pages {
        let path = folder.join(page);
        let content = fs::read(&path).map_err(Error::file("read", &path))?;
        fs::write(&path, with_names(content, &renamed)).map_err(Error::file("write", &path))?;
    }
    Ok(renamed.into_iter().map(|(_, name)| name).collect())
}

/// A text with the new names in it; what is no text names nothing.
fn with_names(content: Vec<u8>, renamed: &[(&str, String)]) -> Vec<u8> {
    let mut text = match String::from_utf8(content) {
        Ok(text) => text,
        Err(not_text) => return not_text.into_bytes(),
    };
    for (from, to) in renamed {
        text = text.replace(from, to);
    }
    text.into_bytes()
}

/// Another compiler may hash otherwise: the names are new then, and nothing is wrong with them.
fn name(file: &str, content: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    hasher.write(content);
    let hash = hasher.finish();
    match file.rsplit_once('.') {
        Some((stem, kind)) => format!("{stem}-{hash:016x}.{kind}"),
        None => format!("{file}-{hash:016x}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_changes_with_the_content_and_with_what_it_names() {
        let names = |wasm: &[u8]| {
            let folder = std::env::temp_dir().join(format!("hashed-{}", std::process::id()));
            fs::create_dir_all(&folder).unwrap();
            for (file, content) in [
                ("a.wasm", wasm),
                ("a.js", b"load(\"a.wasm\")".as_slice()),
                ("b.css", b"p {}"),
                (
                    "index.html",
                    b"<script src=\"a.js\"></script><link href=\"b.css\">",
                ),
            ] {
                fs::write(folder.join(file), content).unwrap();
            }
            let files = ["a.wasm", "a.js", "b.css"];
            let names = super::names(&folder, &files, &["index.html"]).unwrap();
            let page = fs::read_to_string(folder.join("index.html")).unwrap();
            let script = fs::read_to_string(folder.join(&names[1])).unwrap();
            let left = files.iter().filter(|file| folder.join(file).exists());
            let left = left.count();
            fs::remove_dir_all(&folder).unwrap();
            (names, page, script, left)
        };
        // Bytes that are no text, as those of a wasm are.
        let (first, page, script, left) = names(b"\0asm\xff");
        assert_eq!(left, 0, "nothing is left under its old name");
        assert_eq!(script, format!("load(\"{}\")", first[0]));
        assert_eq!(
            page,
            format!(
                "<script src=\"{}\"></script><link href=\"{}\">",
                first[1], first[2]
            )
        );
        let (second, ..) = names(b"\0asm\xfe");
        assert_ne!(first[0], second[0]);
        assert_ne!(
            first[1], second[1],
            "a script is another one with another wasm"
        );
        assert_eq!(first[2], second[2]);
    }
}

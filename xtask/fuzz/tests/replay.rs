//! Everything that the fuzzer has found, once more: each input that reached something new, and each
//! that once showed a fault.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use hustings_fuzz::TARGETS;

#[test]
fn every_input_in_the_corpus_holds() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for target in TARGETS {
        let mut inputs = 0;
        for file in fs::read_dir(corpus.join(target.name)).unwrap() {
            let path = file.unwrap().path();
            println!("{}", path.display());
            (target.run)(&fs::read(&path).unwrap());
            inputs += 1;
        }
        assert!(inputs >= 10, "{} has {inputs} inputs", target.name);
        (target.run)(&[]);
    }
    let folders = fs::read_dir(corpus).unwrap();
    let folders: BTreeSet<_> = folders.map(|it| it.unwrap().file_name()).collect();
    let names: BTreeSet<_> = TARGETS.iter().map(|it| it.name.into()).collect();
    assert_eq!(folders, names, "a folder of the corpus without a target");
}

#[test]
fn the_decoder_holds_for_every_golden_vector() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let decoder = hustings_fuzz::target("decoder").unwrap();
    for file in fs::read_dir(root.join("protocol/vectors")).unwrap() {
        (decoder.run)(fs::read(file.unwrap().path()).unwrap().trim_ascii_end());
    }
}

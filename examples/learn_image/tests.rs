//! Pictures of every kind, whole, cut and strange; samples of the GPU against the CPU's; what is
//! drawn against what was learnt.

#[path = "tests/files.rs"]
mod files;
#[path = "tests/runs.rs"]
mod runs;

use crate::load::decode;
use crate::source::Source;
use std::path::{Path, PathBuf};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files/pictures").join(name)
}

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(file(name)).unwrap()
}

fn source(name: &str) -> Source {
    decode(name, &bytes(name), false).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A folder that is removed with its value.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("wgrad-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

//! The house: rooms in one direction, imports that name their room, kernels beside their shaders.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::{Path, PathBuf};
use wgrad::kernels;

/// From left to right: a room imports itself and those before it.
const ROOMS: [&str; 12] = [
    "error", "numeric", "wgsl", "network", "training", "export", "kernels", "plan", "gpu", "run",
    "cpu", "verify",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file of Rust in `folder`, with its text.
fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
    found
}

fn place(room: &str) -> Option<usize> {
    ROOMS.iter().position(|known| *known == room)
}

/// The room of a file: the folder in `src`, or the file itself.
fn room_of(path: &Path) -> String {
    let inside = path.strip_prefix(root().join("src")).unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

/// What follows `crate::` in the code of a file, without comments and its tests.
fn named_rooms(text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]").next().unwrap();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code: Vec<&str> = lines.collect();
    let code = code.join("\n");
    code.match_indices("crate::")
        .filter(|(at, _)| !code[..*at].ends_with('$'))
        .map(|(at, found)| {
            let rest = &code[at + found.len()..];
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            rest[..end.unwrap_or(rest.len())].to_owned()
        })
        .collect()
}

#[test]
fn no_room_imports_one_to_its_right() {
    let files = sources(&root().join("src"));
    assert!(files.len() > 50, "{}", files.len());
    for (path, text) in files {
        let room = room_of(&path);
        if room == "lib" {
            continue;
        }
        let own = place(&room).unwrap_or_else(|| panic!("{} is in no room", path.display()));
        for named in named_rooms(&text) {
            let Some(other) = place(&named) else {
                panic!("{}: `crate::{named}` names no room", path.display());
            };
            assert!(other <= own, "{}: {room} imports {named}", path.display());
        }
    }
}

#[test]
fn an_import_the_wrong_way_is_seen() {
    assert_eq!(
        named_rooms("use crate::gpu::Gpu;\n// crate::run\nfn f() { crate::plan::x() }"),
        ["gpu", "plan"]
    );
    assert_eq!(named_rooms("use crate::{Gpu, run::Trainer};"), [""]);
}

/// `src/kernels/step/loss.rs` stands beside `shaders/step/loss.wgsl`, and so does each function
/// that is spliced in by its name.
#[test]
fn a_shader_lies_where_its_rust_file_does() {
    for kernel in kernels::ALL {
        let file = root().join("src/kernels").join(kernel.path);
        let folder = file.join("mod.rs");
        assert!(file.with_extension("rs").exists() || folder.exists(), "{}", kernel.path);
        assert!(root().join("shaders").join(kernel.path).with_extension("wgsl").exists());
    }
    let rooms = [
        ("network", "activation"),
        ("network", "encoding"),
        ("training", "loss"),
        ("training", "optimizer"),
    ];
    for (room, folder) in rooms {
        for (path, _) in sources(&root().join("src").join(room).join(folder)) {
            let name = path.file_stem().unwrap();
            if name != "mod" {
                let shader = root().join("shaders").join(folder).join(name);
                assert!(shader.with_extension("wgsl").exists(), "{}", shader.display());
            }
        }
    }
}

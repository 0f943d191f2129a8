//! How a shader's text is composed: pieces of WGSL in files, structs and bindings from their Rust
//! definitions, one writer for generated text, and the names in it.

mod interface;
mod names;
mod pieces;
mod snippet;
mod writer;

pub(crate) use interface::{Field, binding, shader_struct, structure};
pub(crate) use names::{check_function_name, helper};
pub(crate) use pieces::*;
pub(crate) use snippet::{Interned, Snippet, check_snippet_name, interned, leaked, snippet_piece};
pub(crate) use writer::Writer;

/// WGSL functions, mostly without bindings, and the pieces that they call.
#[derive(Debug)]
pub(crate) struct Piece {
    pub name: &'static str,
    pub text: &'static str,
    pub needs: &'static [&'static Piece],
    pub kind: PieceKind,
}

impl Piece {
    /// Whether its code, or that of a piece that it needs, branches or loops.
    pub fn branches(&self) -> bool {
        let code = self.text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let mut words =
            code.flat_map(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_'));
        words.any(|word| matches!(word, "if" | "switch" | "for" | "loop" | "while"))
            || self.needs.iter().any(|piece| piece.branches())
    }
}

/// Whose functions a [`Piece`] holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PieceKind {
    /// The crate's own, from a file.
    File,
    /// The application's own: the name in errors and the text of each. A function calls built-in
    /// ones alone and is compiled by itself before a kernel that needs it.
    Snippets(&'static [(&'static str, &'static str)]),
}

/// Makes a [`Piece`] from its file in `shaders/`.
macro_rules! piece {
    ($name:expr, [$($need:expr),*]) => {
        $crate::wgsl::Piece {
            name: $name,
            text: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/", $name, ".wgsl")),
            needs: &[$($need),*],
            kind: $crate::wgsl::PieceKind::File,
        }
    };
}
pub(crate) use piece;

/// A finite number as WGSL writes it. The shortest decimals of the largest numbers round up: Chrome
/// refuses them, so those are written by their bits.
pub(crate) fn literal(value: f32) -> String {
    if value.abs() == f32::MAX {
        let sign = if value < 0.0 { "-" } else { "" };
        return format!("{sign}0x1.fffffep+127f");
    }
    format!("{value:?}f")
}

/// Joins `source`, `generated`, and every piece once. The kernel's file comes first, so that a line
/// number in an error is a line of the file.
pub(crate) fn compose(source: &str, generated: &str, pieces: &[&'static Piece]) -> String {
    let mut text = format!("{source}\n{generated}");
    let mut seen = Vec::new();
    let mut open = pieces.to_vec();
    while let Some(piece) = open.pop() {
        if seen.contains(&piece.name) {
            continue;
        }
        seen.push(piece.name);
        text.push('\n');
        text.push_str(piece.text);
        open.extend(piece.needs);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn of(name: &'static str, needs: &'static [&'static Piece]) -> Piece {
        Piece { name, text: name, needs, kind: PieceKind::File }
    }

    #[test]
    fn a_piece_needed_twice_appears_once() {
        static LEAF: Piece = of("leaf", &[]);
        static LEFT: Piece = of("left", &[&LEAF]);
        static RIGHT: Piece = of("right", &[&LEAF]);
        let text = compose("kernel", "glue", &[&LEFT, &RIGHT, &LEAF]);
        assert_eq!(text, "kernel\nglue\nleaf\nright\nleft");
    }
}

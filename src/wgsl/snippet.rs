//! WGSL of the application's own: the body of a function, from its check to a [`Piece`].

use super::names::check_name;
use super::{Piece, PieceKind};
use crate::error::{Error, Result};
use std::sync::{Mutex, PoisonError};

/// The body of a function, with its comments blanked out: a line and a column in a compiler's
/// message are the body's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Snippet {
    text: String,
    loops: usize,
}

/// Built-in functions that all invocations must call together, or only a fragment shader may.
const REFUSED: &[&str] = &[
    "discard",
    "dpdx",
    "dpdxCoarse",
    "dpdxFine",
    "dpdy",
    "dpdyCoarse",
    "dpdyFine",
    "fwidth",
    "fwidthCoarse",
    "fwidthFine",
    "quadBroadcast",
    "quadSwapDiagonal",
    "quadSwapX",
    "quadSwapY",
    "storageBarrier",
    "textureBarrier",
    "workgroupBarrier",
    "workgroupUniformLoad",
];

impl Snippet {
    /// Checks what no compiler can: that the body ends where its function does, and that it runs in
    /// one invocation by itself.
    ///
    /// # Errors
    /// [`Error::Snippet`] of the name `what`, which shows the line.
    pub fn new(what: &str, body: &str) -> Result<Self> {
        let text = blanked(body);
        let (mut depth, mut loops) = (0_usize, 0);
        for (number, line) in (1..).zip(text.split('\n')) {
            let refused = |message: &str| {
                let message = format!("line {number}: {message}\n{line}");
                Err(Error::Snippet { what: what.into(), message })
            };
            let breaks = |c: char| {
                c.is_control() && !matches!(c, '\r' | '\t') || matches!(c, '\u{2028}' | '\u{2029}')
            };
            if let Some(found) = line.chars().find(|c| breaks(*c)) {
                return refused(&format!("the character {found:?} is refused"));
            }
            for c in line.chars() {
                match (c, depth.checked_sub(1)) {
                    ('{', _) => depth += 1,
                    ('}', None) => return refused("a brace closes what the body has not opened"),
                    ('}', Some(outer)) => depth = outer,
                    _ => {}
                }
            }
            for word in line.split(|c: char| !c.is_alphanumeric() && c != '_') {
                loops += usize::from(["for", "while", "loop"].contains(&word));
                let subgroup = word.strip_prefix("subgroup");
                if REFUSED.binary_search(&word).is_ok()
                    || subgroup.is_some_and(|rest| rest.starts_with(|c: char| c.is_uppercase()))
                {
                    return refused(&format!("`{word}` is refused: the body runs for one row"));
                }
            }
        }
        if depth > 0 {
            let message = format!("{depth} opened by {{ and not closed");
            return Err(Error::Snippet { what: what.into(), message });
        }
        Ok(Self { text, loops })
    }

    /// The number of its loops.
    pub const fn loops(&self) -> usize {
        self.loops
    }

    /// `fn SIGNATURE { BODY }`. The body begins in the first line, in a block of its own after
    /// `before`, so that its names may be those of anything outside.
    pub fn function(&self, signature: &str, before: &str) -> String {
        // By how a line begins an export tells what a text defines outside of functions.
        let body = self.text.replace("\nconst ", "\n const ");
        format!("fn {signature} {{ {before}{{ {body}\n}} }}\n")
    }
}

/// Definitions that live as long as the program runs, each once.
pub(crate) type Interned<T> = Mutex<Vec<&'static T>>;

/// The definition that is the `same`, or a new one, which `make` makes from its number.
pub(crate) fn interned<T>(
    all: &Interned<T>,
    same: impl Fn(&T) -> bool,
    make: impl FnOnce(usize) -> T,
) -> &'static T {
    // A poisoned lock still guards whole definitions: each is pushed in one call.
    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = all.iter().find(|known| same(known)) {
        return known;
    }
    let made: &'static T = Box::leak(Box::new(make(all.len())));
    all.push(made);
    made
}

/// Keeps `text` for as long as the program runs.
pub(crate) fn leaked(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

/// The piece of functions made from snippets, each with its name in errors. `name` is the piece's own.
pub(crate) fn snippet_piece(name: String, functions: Vec<(String, String)>) -> Piece {
    let text = leaked(functions.iter().map(|(_, text)| text.as_str()).collect());
    let leaked_pair = |(what, text)| (leaked(what), leaked(text));
    let functions: Vec<_> = functions.into_iter().map(leaked_pair).collect();
    Piece { name: leaked(name), text, needs: &[], kind: PieceKind::Snippets(functions.leak()) }
}

/// Checks the name of a function of the application's own, among the crate's `known` ones.
///
/// # Errors
/// [`Error::Argument`]: what no function of WGSL can be called, or one of the crate's own.
pub(crate) fn check_snippet_name(kind: &str, name: &str, known: bool) -> Result<()> {
    let what = format!("the name of the {kind}");
    check_name(&what, name)?;
    if known {
        let found = format!("{name:?}");
        return Err(Error::argument(what, found, "none of the crate's own"));
    }
    Ok(())
}

/// The text with spaces for comments. Its lines stay where they were, each ended by `\n`.
fn blanked(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut result = String::with_capacity(text.len());
    // The depth of /* */, and whether // began on this line.
    let (mut depth, mut rest_of_line) = (0_usize, false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        // All characters that end a line in WGSL.
        if matches!(c, '\n' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}') {
            rest_of_line = false;
            result.push(c);
            continue;
        }
        let pair = [Some(c), chars.peek().copied()];
        let opens = pair == [Some('/'), Some('*')] && !rest_of_line;
        let closes = pair == [Some('*'), Some('/')] && !rest_of_line && depth > 0;
        if opens || closes {
            chars.next();
            depth = if opens { depth + 1 } else { depth - 1 };
            result.push_str("  ");
        } else {
            rest_of_line |= depth == 0 && pair == [Some('/'), Some('/')];
            result.push(if rest_of_line || depth > 0 { ' ' } else { c });
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refused_words_are_sorted() {
        assert!(REFUSED.is_sorted());
    }

    #[test]
    fn comments_become_spaces_and_lines_stay() {
        assert_eq!(blanked("a // }\nb"), "a     \nb");
        assert_eq!(blanked("a /* // */ b"), "a          b");
        assert_eq!(blanked("a /* /* } */\n} */ b"), "a           \n     b");
        assert_eq!(blanked("a // /*\r\nb */ c\rd"), "a      \nb */ c\nd");
        assert_eq!(blanked("a / b * c"), "a / b * c");
        // A line that only WGSL ends.
        assert_eq!(blanked("// \u{2028}}"), "   \u{2028}}");
    }

    #[test]
    fn a_body_ends_where_its_function_does() {
        let message = |body| Snippet::new("the loss f", body).unwrap_err().to_string();
        for (body, words) in [
            ("return 0.0; } fn g() {", "line 1: a brace closes"),
            ("return 0.0;\n}", "line 2: a brace closes"),
            ("if (a) {", "1 opened by {"),
            ("// \u{2028}}", "line 1: the character '\\u{2028}' is refused"),
            ("// \u{b}}", "line 1: the character '\\u{b}' is refused"),
            ("a();\nworkgroupBarrier();", "line 2: `workgroupBarrier` is refused"),
            ("let a = subgroupAdd(z);", "line 1: `subgroupAdd` is refused"),
        ] {
            let message = message(body);
            assert!(message.contains(words) && message.contains("the loss f"), "{message}");
        }
        let snippet = Snippet::new("f", "for (;;) { } // }\nlet subgroups = 1; loop { break; }");
        assert_eq!(snippet.unwrap().loops(), 2);
    }
}

//! The writer of generated WGSL.

use super::names::declares_word;
use std::fmt::{Display, Write as _};

/// Writes WGSL line by line. It indents each line by its depth in blocks.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    text: String,
    depth: usize,
}

impl Writer {
    /// The text written so far.
    pub fn finish(self) -> String {
        self.text
    }

    /// Appends finished text of whole lines.
    pub fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Writes one line.
    pub fn line(&mut self, line: impl Display) {
        self.write(&line);
    }

    // Not generic: one piece of code for all lines.
    fn write(&mut self, line: &dyn Display) {
        let start = self.text.len();
        // Writing to a string does not fail.
        let _ = writeln!(self.text, "{:1$}{line}", "", 4 * self.depth);
        debug_assert!(!declares_word(&self.text[start..]), "{}", &self.text[start..]);
    }

    /// `HEAD { … }`
    pub fn block(&mut self, head: impl Display, body: impl FnOnce(&mut Self)) {
        self.open(head);
        body(self);
        self.close();
    }

    /// Writes `HEAD {`. [`Writer::close`] closes the block.
    pub fn open(&mut self, head: impl Display) {
        self.open_block(&head);
    }

    fn open_block(&mut self, head: &dyn Display) {
        self.write(&format_args!("{head} {{"));
        self.depth += 1;
    }

    /// `}`
    pub fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.line("}");
    }

    /// `fn SIGNATURE { … }`
    pub fn function(&mut self, signature: impl Display, body: impl FnOnce(&mut Self)) {
        self.block(format_args!("fn {signature}"), body);
    }

    /// `const NAME: u32 = VALUEu;`
    pub fn constant(&mut self, name: &str, value: u32) {
        self.line(format_args!("const {name}: u32 = {value}u;"));
    }

    /// `const NAME: bool = VALUE;`
    pub fn flag(&mut self, name: &str, value: bool) {
        self.line(format_args!("const {name}: bool = {value};"));
    }

    /// Writes `switch ON { … }`, whose last case is the default. A case is the values of `ON` and
    /// its statements.
    pub fn switch(&mut self, on: &str, cases: &[(String, String)]) {
        self.block(format_args!("switch {on}"), |w| {
            for (i, (values, body)) in cases.iter().enumerate() {
                let default = if i + 1 == cases.len() { ", default" } else { "" };
                w.line(format_args!("case {values}{default}: {{ {body} }}"));
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_indent_what_is_in_them() {
        let mut w = Writer::default();
        w.constant("N", 3);
        w.flag("ON", true);
        w.function("f(i: u32) -> u32", |w| {
            let cases = [("0u", "return 1u;"), ("1u, 2u", "return 0u;")];
            w.switch("i", &cases.map(|(values, body)| (values.into(), body.into())));
        });
        let expected = "const N: u32 = 3u;\nconst ON: bool = true;\nfn f(i: u32) -> u32 {\n    \
                        switch i {\n        case 0u: { return 1u; }\n        case 1u, 2u, default: \
                        { return 0u; }\n    }\n}\n";
        assert_eq!(w.finish(), expected);
    }
}

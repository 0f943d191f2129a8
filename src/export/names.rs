//! Names of WGSL: which are taken, and a prefix for those of pieces that are copied.

/// WGSL's keywords, and what the text calls. A function cannot have such a name, or would hide it.
/// (Words that WGSL only reserves are left to the compiler's own message.)
pub(super) const TAKEN: &[&str] = &[
    "abs",
    "alias",
    "array",
    "bitcast",
    "break",
    "case",
    "clamp",
    "const",
    "const_assert",
    "continue",
    "continuing",
    "default",
    "diagnostic",
    "discard",
    "dot",
    "else",
    "enable",
    "exp",
    "f16",
    "f32",
    "false",
    "floor",
    "fn",
    "for",
    "i32",
    "if",
    "let",
    "loop",
    "min",
    "override",
    "requires",
    "return",
    "round",
    "select",
    "struct",
    "switch",
    "true",
    "u32",
    "var",
    "vec2",
    "vec3",
    "vec4",
    "while",
];

/// `text` with `prefix_` before each name that it defines, wherever it stands.
pub(super) fn prefixed(text: &str, prefix: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let defined: Vec<&str> = text
        .lines()
        .filter_map(|line| {
            let mut keywords = ["fn ", "const ", "alias ", "struct "].into_iter();
            keywords.find_map(|keyword| line.strip_prefix(keyword))
        })
        .filter_map(|rest| rest.split(|c| !is_word(c)).next())
        .collect();
    let mut result = String::with_capacity(text.len() + text.len() / 4);
    for line in text.lines().filter(|line| !line.starts_with("//")) {
        let mut rest = line;
        while let Some(start) = rest.find(is_word) {
            let end = rest[start..].find(|c| !is_word(c)).map_or(rest.len(), |n| start + n);
            result.push_str(&rest[..start]);
            if defined.contains(&&rest[start..end]) {
                result.push_str(prefix);
                result.push('_');
            }
            result.push_str(&rest[start..end]);
            rest = &rest[end..];
        }
        result.push_str(rest);
        result.push('\n');
    }
    result
}

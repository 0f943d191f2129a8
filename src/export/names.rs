//! Names for pieces that are copied.

use crate::wgsl::helper;

/// `text`, in which each name that it defines is the function's [`helper`], wherever it stands.
/// `part` comes first in the names, where several parts define the same.
pub(super) fn renamed(text: &str, function: &str, part: &str) -> String {
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
            let word = &rest[start..end];
            if defined.contains(&word) {
                result.push_str(&helper(function, &format!("{part}{word}")));
            } else {
                result.push_str(word);
            }
            rest = &rest[end..];
        }
        result.push_str(rest);
        result.push('\n');
    }
    result
}

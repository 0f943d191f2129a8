//! From text and files to one JSON value: comments, parents.

use crate::error::{Error, Result};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// The most files in a row, each the parent of the one before.
const MAX_PARENTS: usize = 64;

/// The text with blanks in the place of its comments, `// …` and `/* … */`. All lines keep their
/// numbers and columns.
///
/// # Errors
/// A comment that does not end.
pub(super) fn without_comments(text: &str) -> Result<String> {
    let mut blank = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    let (mut line, mut in_string) = (1, false);
    while let Some(c) = rest.next() {
        line += usize::from(c == '\n');
        if in_string {
            blank.push(c);
            match c {
                // An escaped character does not end the string.
                '\\' => blank.extend(rest.next()),
                '"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match (c, rest.peek()) {
            ('/', Some('/')) => {
                blank.push(' ');
                while let Some(c) = rest.next_if(|c| *c != '\n') {
                    blank.push(if c == '\r' { c } else { ' ' });
                }
            }
            ('/', Some('*')) => {
                let first = line;
                rest.next();
                blank.push_str("  ");
                let mut last = ' ';
                loop {
                    let Some(c) = rest.next() else {
                        let what = format!("the comment that begins in line {first}");
                        return Err(Error::argument(what, "not closed", "/* … */"));
                    };
                    line += usize::from(c == '\n');
                    blank.push(if c == '\n' { c } else { ' ' });
                    if (last, c) == ('*', '/') {
                        break;
                    }
                    last = c;
                }
            }
            _ => {
                in_string = c == '"';
                blank.push(c);
            }
        }
    }
    Ok(blank)
}

/// The JSON object of a text with comments.
///
/// # Errors
/// A comment that does not end; the text is not JSON, or no object.
pub(super) fn parse(text: &str) -> Result<Map<String, Value>> {
    let text = without_comments(text.strip_prefix('\u{feff}').unwrap_or(text))?;
    let value: Value = serde_json::from_str(&text)
        .map_err(|error| Error::argument("the configuration", error, "a JSON object"))?;
    match value {
        Value::Object(map) => Ok(map),
        other => Err(Error::argument("the configuration", other, "a JSON object")),
    }
}

/// Merges `child` into `parent`, as a JSON merge patch (RFC 7396) does: objects key by key, all else
/// is replaced, and null removes a key.
pub(super) fn merge(parent: &mut Map<String, Value>, child: Map<String, Value>) {
    for (key, value) in child {
        match value {
            Value::Null => {
                parent.remove(&key);
            }
            Value::Object(child) => {
                let slot = parent.entry(key).or_insert_with(|| Value::Object(Map::new()));
                if !slot.is_object() {
                    *slot = Value::Object(Map::new());
                }
                if let Value::Object(parent) = slot {
                    merge(parent, child);
                }
            }
            other => {
                parent.insert(key, other);
            }
        }
    }
}

/// A file with its parents, merged, and how many files these are.
///
/// # Errors
/// [`Error::File`] with the path of a file that cannot be read, or whose parent leads back to it;
/// [`Error::Argument`] with the path of a file that is no JSON object.
pub(super) fn load(path: &Path) -> Result<(Map<String, Value>, usize)> {
    let mut seen: Vec<PathBuf> = Vec::new();
    let mut files: Vec<Map<String, Value>> = Vec::new();
    let mut next = Some((path.to_owned(), None::<PathBuf>));
    while let Some((path, child)) = next {
        let shown = path.display().to_string();
        let of = |problem: &str| match &child {
            Some(child) => format!("the parent of {} {problem}", child.display()),
            None => format!("the configuration {problem}"),
        };
        // Two paths may lead to one file.
        let place = path.canonicalize().map_err(|error| {
            Error::file_because(&*shown, format!("{}: {error}", of("cannot be read")), error)
        })?;
        if seen.contains(&place) {
            return Err(Error::file(&*shown, of("is one of the files that it is a parent of")));
        }
        if seen.len() >= MAX_PARENTS {
            let problem = format!("is number {} in a row", MAX_PARENTS + 1);
            return Err(Error::file(&*shown, of(&problem)));
        }
        seen.push(place);
        let text = std::fs::read_to_string(&path).map_err(|error| {
            Error::file_because(&*shown, format!("{}: {error}", of("cannot be read")), error)
        })?;
        let mut map = parse(&text).map_err(|error| in_file(&path, error))?;
        next = match map.remove("parent") {
            None | Some(Value::Null) => None,
            Some(Value::String(parent)) => {
                let parent = path.parent().unwrap_or(Path::new("")).join(parent);
                Some((parent, Some(path.clone())))
            }
            Some(other) => {
                let error = Error::argument("parent", other, "the path of a file");
                return Err(in_file(&path, error));
            }
        };
        files.push(map);
    }
    let count = files.len();
    let mut all = Map::new();
    for map in files.into_iter().rev() {
        merge(&mut all, map);
    }
    Ok((all, count))
}

/// The error with the file's path in front.
pub(super) fn in_file(path: &Path, error: Error) -> Error {
    match error {
        Error::Argument { what, found, allowed } => {
            Error::argument(format!("{}: {what}", path.display()), found, allowed)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_blanks_and_strings_keep_theirs() {
        let text = "{ // one \"\n\"a//b\": /* two\n * 'three' */ \"c\\\"/*d*/\", \"e\": 1 /**/ }";
        let blank = without_comments(text).unwrap();
        assert_eq!(blank.lines().count(), text.lines().count());
        let value: Value = serde_json::from_str(&blank).unwrap();
        assert_eq!(value, serde_json::json!({ "a//b": "c\"/*d*/", "e": 1 }));
        // A slash by itself, an open string and an escape at the end are the parser's to refuse.
        for text in ["{ / }", "{ \"a", "{ \"a\\", "/", "{ // \u{e4}\u{f6}\n"] {
            assert!(serde_json::from_str::<Value>(&without_comments(text).unwrap()).is_err());
        }
        let error = without_comments("{\n\n /* a *\n / }").unwrap_err().to_string();
        assert_eq!(error, "the comment that begins in line 3 is not closed; allowed: /* … */");
        // "/*/" is not a whole comment.
        assert!(without_comments("/*/").is_err());
    }

    #[test]
    fn an_error_names_the_line_in_the_file() {
        let error = parse("{ // comment\n/* more\n*/ \"a\": 1,\n \"b\" 2 }").unwrap_err();
        assert!(error.to_string().contains("line 4"), "{error}");
    }

    #[test]
    fn a_child_is_merged_as_a_patch() {
        let of = |text: &str| parse(text).unwrap();
        let mut parent = of(r#"{ "a": { "b": 1, "c": [1, 2] }, "d": 3, "e": 4 }"#);
        merge(
            &mut parent,
            of(
                r#"{ "a": { "c": [5], "f": null, "g": { "h": null, "i": 6 } }, "d": null, "e": {} }"#,
            ),
        );
        let expected = of(r#"{ "a": { "b": 1, "c": [5], "g": { "i": 6 } }, "e": {} }"#);
        assert_eq!(parent, expected);
    }
}

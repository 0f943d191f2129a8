//! Reads a table of points from CSV text: one row a point, its class in one column, numbers in the
//! others.
//!
//! Columns are separated by commas, semicolons, tabs or bars, whatever gives the most numbers. Where
//! they are not separated by commas, numbers may have decimal commas. The first row is a header if
//! none of its fields is a number, or where a label says so. Every error says where it is: the line of the file, the column, what
//! was found, what is allowed.

use crate::common::{Outcome, Stop, usage};
use csv::{ReaderBuilder, StringRecord};
use std::io::Read;

/// A table of numbers, and the class of each row.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// The names of the inputs.
    pub inputs: Vec<String>,
    /// The name of the label.
    pub label: String,
    /// The names of the classes, in the order of their numbers.
    pub classes: Vec<String>,
    /// The inputs, `[rows, inputs]`.
    pub x: Vec<f64>,
    /// The class of each row.
    pub class: Vec<usize>,
    /// What was found besides, to be said.
    pub notes: Vec<String>,
}

/// The largest number of classes. More different labels are most likely numbers to be predicted.
pub const MAX_CLASSES: usize = 100;

/// What separates the columns. Of several that give as many numbers, the first is taken.
const DELIMITERS: [(u8, &str); 4] =
    [(b';', "semicolons"), (b'\t', "tabs"), (b',', "commas"), (b'|', "bars")];

/// The records that the delimiter is guessed from.
const SAMPLE: usize = 20;

/// Reads the file at `path`, or standard input where it is `-`.
pub fn read(path: &str, label: Option<&str>) -> Outcome<Table> {
    let mut bytes = Vec::new();
    let (name, read) = match path {
        "-" => ("standard input", std::io::stdin().lock().read_to_end(&mut bytes)),
        path => (path, std::fs::File::open(path).and_then(|mut file| file.read_to_end(&mut bytes))),
    };
    read.map_err(|error| Stop::Failed(format!("{name}: {error}")))?;
    parse(&bytes, label).map_err(|stop| match stop {
        Stop::Failed(text) => Stop::Failed(format!("{name}: {text}")),
        Stop::Usage(text) => Stop::Usage(format!("{name}: {text}")),
        Stop::Closed => Stop::Closed,
    })
}

fn bad<T>(text: impl Into<String>) -> Outcome<T> {
    Err(Stop::Failed(text.into()))
}

/// Reads CSV text. `label` names the column of the classes, the last one unless it is given.
pub fn parse(bytes: &[u8], label: Option<&str>) -> Outcome<Table> {
    let text = text_of(bytes)?;
    let (delimiter, separator) = delimiter_of(text);
    let lines = records(text, delimiter)?;
    let Some((_, first)) = lines.first() else {
        return bad("no rows; allowed: a row for each point, its numbers and its class");
    };
    let has_header = is_header(first, &lines[1..], label, delimiter);
    let columns = Columns::new(first, has_header, label)?;
    let rows = &lines[usize::from(has_header)..];
    if rows.is_empty() {
        return bad("a header and no rows; allowed: a row for each point");
    }
    columns.check_width(rows, lines[0].0)?;
    let mut notes = vec![format!(
        "{}, columns separated by {separator}",
        if has_header { "a header" } else { "no header" }
    )];
    let mut inputs: Vec<usize> = (0..columns.names.len()).filter(|i| *i != columns.label).collect();
    // What pandas writes in front of a table.
    if columns.names[0].is_empty() && inputs.len() > 1 && counts_rows(rows, delimiter) {
        inputs.retain(|column| *column != 0);
        notes.push("column 1 has no name and counts the rows: left out".into());
    }
    let x = columns.numbers(rows, &inputs, delimiter)?;
    let (classes, class) = columns.classes(rows, delimiter)?;
    let name = |column: usize| match columns.names[column].as_str() {
        "" => format!("column {}", column + 1),
        name => name.to_owned(),
    };
    let inputs = inputs.into_iter().map(name).collect();
    Ok(Table { inputs, label: name(columns.label), classes, x, class, notes })
}

/// The text, without the mark that some programs put in front, or a line `sep=;`.
fn text_of(bytes: &[u8]) -> Outcome<&str> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return bad("text in UTF-16; allowed: UTF-8");
    }
    let text = std::str::from_utf8(bytes).or_else(|error| {
        let line = bytes[..error.valid_up_to()].iter().filter(|b| **b == b'\n').count() + 1;
        let byte = bytes[error.valid_up_to()];
        bad(format!("line {line}: the byte {byte:#04x} is no text in UTF-8; allowed: UTF-8"))
    })?;
    if let Some(at) = text.find('\0') {
        let line = text[..at].matches('\n').count() + 1;
        return bad(format!("line {line}: a byte 0; allowed: a table as text"));
    }
    Ok(text.trim_start_matches('\u{feff}'))
}

/// What separates the columns, and its name.
fn delimiter_of(text: &str) -> (u8, &'static str) {
    let numbers = |delimiter: u8| {
        let mut records = reader(text, delimiter).into_records().map_while(Result::ok);
        let first = records.next()?;
        let all = std::iter::once(first.clone()).chain(records.take(SAMPLE - 1));
        let fields = |record: StringRecord| {
            record.iter().filter(|field| number(field, delimiter).is_ok()).count()
        };
        (first.len() > 1).then(|| all.map(fields).sum::<usize>())
    };
    let mut best = (None, (b',', "commas"));
    for candidate in DELIMITERS {
        let found = numbers(candidate.0);
        if found > best.0 {
            best = (found, candidate);
        }
    }
    best.1
}

fn reader(text: &str, delimiter: u8) -> csv::Reader<&[u8]> {
    ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .delimiter(delimiter)
        .from_reader(text.as_bytes())
}

/// The records with their lines in the file; those without any text are left out.
fn records(text: &str, delimiter: u8) -> Outcome<Vec<(u64, StringRecord)>> {
    let mut all = Vec::new();
    // How far the lines are counted, and how many ended there.
    let (mut counted, mut lines) = (0, 0);
    for record in reader(text, delimiter).into_records() {
        let record = record.map_err(|error| Stop::Failed(error.to_string()))?;
        // The reader's own line is that of an empty one before the record.
        let start = record.position().map_or(0, |at| at.byte() as usize);
        let empty = text[start..].bytes().take_while(|byte| b"\r\n".contains(byte)).count();
        lines += text[counted..start + empty].bytes().filter(|byte| *byte == b'\n').count();
        counted = start + empty;
        let line = lines as u64 + 1;
        if record.iter().any(|field| field.contains('\n')) {
            return bad(format!(
                "line {line}: a field goes over several lines; is a quotation mark not closed?"
            ));
        }
        if record.iter().any(|field| !field.is_empty()) {
            all.push((line, record));
        }
    }
    Ok(all)
}

/// A finite number, or why a field is none. Between semicolons or tabs it may have a decimal comma.
fn number(field: &str, delimiter: u8) -> Result<f64, &'static str> {
    let with_point = || field.replacen(',', ".", 1).parse::<f64>();
    let parsed = match field.parse::<f64>() {
        Err(_) if delimiter != b',' && !field.contains('.') => with_point(),
        parsed => parsed,
    };
    match parsed {
        Ok(number) if number.is_finite() => Ok(number),
        Ok(_) => Err("not finite; allowed: finite numbers"),
        Err(_) if field.is_empty() => Err("empty; allowed: a number"),
        Err(_) => Err("not a number"),
    }
}

/// Whether the first row is a header: none of its fields is a number, `label` is one of them, or its
/// last one is text where the labels below are numbers.
fn is_header(
    first: &StringRecord,
    rest: &[(u64, StringRecord)],
    label: Option<&str>,
    delimiter: u8,
) -> bool {
    let is_number = |field: &str| number(field, delimiter).is_ok();
    let last = |record: &StringRecord| record.iter().next_back().is_some_and(is_number);
    !first.iter().any(is_number)
        || match label {
            Some(label) => !is_number(label) && first.iter().any(|field| field == label),
            None => !last(first) && !rest.is_empty() && rest.iter().all(|(_, row)| last(row)),
        }
}

/// Whether the first column counts the rows, from 0 or from 1.
fn counts_rows(rows: &[(u64, StringRecord)], delimiter: u8) -> bool {
    let first = |row: usize| number(rows[row].1.get(0).unwrap_or_default(), delimiter);
    let Ok(start) = first(0) else { return false };
    (start == 0.0 || start == 1.0)
        && (0..rows.len()).all(|row| first(row).is_ok_and(|value| value == start + row as f64))
}

/// The columns of a table.
struct Columns {
    /// Empty where a column has no name.
    names: Vec<String>,
    /// The index of the label.
    label: usize,
    /// Whether the names are the file's.
    has_header: bool,
}

impl Columns {
    fn new(first: &StringRecord, has_header: bool, label: Option<&str>) -> Outcome<Self> {
        let count = first.len();
        if count < 2 {
            return bad(format!(
                "one column, '{}'; allowed: one or more inputs and a label, separated by commas, \
                 semicolons, tabs or bars",
                first.get(0).unwrap_or_default()
            ));
        }
        let names: Vec<String> = match has_header {
            true => first.iter().map(str::to_owned).collect(),
            false => (1..=count).map(|column| format!("column {column}")).collect(),
        };
        let Some(label) = label else {
            return Ok(Self { names, label: count - 1, has_header });
        };
        let found: Vec<usize> = (0..count).filter(|i| has_header && names[*i] == label).collect();
        let by_number = label.parse().ok().filter(|number| (1..=count).contains(number));
        let all = names.join(", ");
        match (&found[..], by_number) {
            ([column], _) => Ok(Self { label: *column, names, has_header }),
            ([], Some(number)) => Ok(Self { label: number - 1, names, has_header }),
            ([], None) if has_header => {
                Err(usage(format!("no column '{label}'; the columns are {all}")))
            }
            ([], None) => Err(usage(format!(
                "no column '{label}': the file has no header; allowed: a column's number, 1 to {count}"
            ))),
            (several, _) => {
                let many = several.len();
                Err(usage(format!(
                    "{many} columns '{label}'; allowed: a column's number, or one name"
                )))
            }
        }
    }

    /// Names a place: a line of the file and a column.
    fn place(&self, line: u64, column: usize) -> String {
        format!("line {line}, {}", self.title(column))
    }

    /// Names a column.
    fn title(&self, column: usize) -> String {
        match (self.has_header, self.names[column].as_str()) {
            (false, _) | (true, "") => format!("column {}", column + 1),
            (true, name) => format!("column {} ({name})", column + 1),
        }
    }

    fn check_width(&self, rows: &[(u64, StringRecord)], first_line: u64) -> Outcome {
        let expected = self.names.len();
        let Some((line, record)) = rows.iter().find(|(_, record)| record.len() != expected) else {
            return Ok(());
        };
        let found = record.len();
        let what = if self.has_header { "the header" } else { "the first row" };
        bad(format!(
            "line {line}: {found} field{}; allowed: {expected}, as {what} in line {first_line} has",
            if found == 1 { "" } else { "s" }
        ))
    }

    /// The numbers of the columns `inputs`, row after row.
    fn numbers(
        &self,
        rows: &[(u64, StringRecord)],
        inputs: &[usize],
        delimiter: u8,
    ) -> Outcome<Vec<f64>> {
        let mut x = Vec::with_capacity(rows.len() * inputs.len());
        // Where the first decimal comma and the first decimal point are.
        let (mut comma, mut point) = (None, None);
        for (line, record) in rows {
            for column in inputs {
                let field = record.get(*column).unwrap_or_default();
                let place = || self.place(*line, *column);
                match number(field, delimiter) {
                    Ok(value) => x.push(value),
                    Err("not a number") => {
                        let is_first = !self.has_header && *line == rows[0].0;
                        let hint = match is_first {
                            true => " (a first row without any number would be a header)",
                            false => "; allowed: a number",
                        };
                        return bad(format!("{}: '{field}' is not a number{hint}", place()));
                    }
                    Err(why) => return bad(format!("{}: '{field}' is {why}", place())),
                }
                if field.contains(',') {
                    comma.get_or_insert_with(place);
                } else if field.contains('.') {
                    point.get_or_insert_with(place);
                }
                if let (Some(comma), Some(point)) = (&comma, &point) {
                    return bad(format!(
                        "decimal commas and decimal points: a comma in {comma}, a point in {point}; \
                         allowed: one of them"
                    ));
                }
            }
        }
        Ok(x)
    }

    /// The names of the classes and the class of each row. Labels that are numbers are in the order of
    /// the numbers, others in that of the alphabet.
    fn classes(
        &self,
        rows: &[(u64, StringRecord)],
        delimiter: u8,
    ) -> Outcome<(Vec<String>, Vec<usize>)> {
        let mut labels = Vec::with_capacity(rows.len());
        for (line, record) in rows {
            match record.get(self.label).unwrap_or_default() {
                "" => {
                    let place = self.place(*line, self.label);
                    return bad(format!("{place}: the label is empty; allowed: a class"));
                }
                label => labels.push(label),
            }
        }
        // 0 + −0 is 0.
        let numbers: Option<Vec<f64>> =
            labels.iter().map(|label| number(label, delimiter).ok().map(|n| 0.0 + n)).collect();
        // Of numbers, 1 and 1.0 are one class.
        let compare = |a: &usize, b: &usize| match &numbers {
            Some(numbers) => numbers[*a].total_cmp(&numbers[*b]),
            None => labels[*a].cmp(labels[*b]),
        };
        let mut order: Vec<usize> = (0..labels.len()).collect();
        order.sort_by(compare);
        let mut classes: Vec<String> = Vec::new();
        let mut class = vec![0; labels.len()];
        let mut last = None;
        for row in &order {
            if last.is_none_or(|last| compare(&last, row).is_ne()) {
                classes.push(labels[*row].to_owned());
                last = Some(*row);
            }
            class[*row] = classes.len() - 1;
        }
        let name = self.title(self.label);
        match classes.len() {
            1 => bad(format!(
                "one class, '{}', in all {} rows of {name}; allowed: two or more",
                classes[0],
                rows.len()
            )),
            many if many > MAX_CLASSES => bad(format!(
                "{many} different labels in {} rows of {name}; allowed: at most {MAX_CLASSES} classes \
                 (--label names another column)",
                rows.len()
            )),
            _ => Ok((classes, class)),
        }
    }
}

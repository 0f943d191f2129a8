//! Reads points that a reader has pasted or dropped: x1, x2 and a label a line.

use crate::description::{MAX_ROWS, Task};
use crate::error::{Error, Result};

/// What a text of points holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Classes where there are two labels or words, otherwise numbers.
    pub task: Task,
    /// x1, x2, target in turn, within the page's square.
    pub points: Vec<f64>,
    /// What was read, and what was done to it.
    pub message: String,
}

/// Reads a text of points: comma, semicolon, tab or spaces between the columns, with or without a
/// header.
///
/// # Errors
/// A line without three columns, a coordinate that is no number, one label only, more than two words.
pub fn read(text: &str) -> Result<Table> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = text.lines().enumerate().map(|(i, line)| (i + 1, line.trim()));
    let mut lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')).peekable();
    let Some((_, first)) = lines.peek() else {
        return Err(Error::new("the text holds no points; a line has x1, x2 and a label"));
    };
    let separator = separator(first);
    // A header has words where a point has coordinates.
    let names = cells(first, separator);
    let is_header =
        names.len() >= 3 && names[..2].iter().all(|name| number(name, separator).is_none());
    if is_header {
        lines.next();
    }
    let (mut places, mut labels) = (Vec::new(), Vec::new());
    for (line, text) in lines {
        let cells = cells(text, separator);
        let [x1, x2, label] = cells[..] else {
            let found = cells.len();
            return Err(Error::new(format!(
                "line {line} has {found} columns; a point is x1, x2 and a label"
            )));
        };
        for (name, cell) in [("x1", x1), ("x2", x2)] {
            let value = number(cell, separator);
            places.push(value.ok_or_else(|| {
                Error::new(format!("line {line}: {name} is \"{cell}\", which is no number"))
            })?);
        }
        labels.push((line, label));
        if labels.len() > MAX_ROWS {
            return Err(Error::new(format!("there are more than {MAX_ROWS} points")));
        }
    }
    if labels.is_empty() {
        return Err(Error::new("the text has a header and no points"));
    }
    let (task, targets, of_labels) = targets(&labels, separator)?;
    let scaled = scale(&mut places);
    let points = places.chunks(2).zip(&targets).flat_map(|(p, t)| [p[0], p[1], *t]).collect();
    let message = format!("{} points, {of_labels}{scaled}", labels.len());
    Ok(Table { task, points, message })
}

/// What stands between the columns of a line.
fn separator(line: &str) -> char {
    let found = ['\t', ';', ','].into_iter().find(|c| line.matches(*c).count() >= 2);
    found.unwrap_or(' ')
}

fn cells(line: &str, separator: char) -> Vec<&str> {
    if separator == ' ' {
        return line.split_whitespace().collect();
    }
    line.split(separator).map(|cell| cell.trim().trim_matches('"').trim()).collect()
}

/// A finite number; with another separator than a comma, it may have a decimal comma.
fn number(cell: &str, separator: char) -> Option<f64> {
    let parsed = cell
        .parse()
        .ok()
        .or_else(|| if separator == ',' { None } else { cell.replace(',', ".").parse().ok() });
    parsed.filter(|value: &f64| value.is_finite())
}

/// The task that labels are for, the targets, and what they were.
fn targets(labels: &[(usize, &str)], separator: char) -> Result<(Task, Vec<f64>, String)> {
    let mut kinds: Vec<&str> = Vec::new();
    for (_, label) in labels {
        if !kinds.contains(label) && kinds.len() < 3 {
            kinds.push(label);
        }
    }
    let numbers: Option<Vec<f64>> = labels.iter().map(|(_, l)| number(l, separator)).collect();
    if let Some(values) = &numbers {
        kinds.sort_by(|a, b| {
            let value = |label: &str| number(label, separator).unwrap_or(f64::NAN);
            value(a).total_cmp(&value(b))
        });
        // 1 and 1.0 are one label.
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let two = values.iter().all(|v| *v == low || *v == high);
        // One label of -1, 0 or 1 is a class whose other one is still to come.
        let one = low == high && [-1.0, 0.0, 1.0].contains(&low);
        if one {
            let class = if low == 1.0 { 1.0 } else { -1.0 };
            return Ok((
                Task::Classification,
                vec![class; values.len()],
                format!("all of class {low}"),
            ));
        }
        if two && low != high {
            let targets = values.iter().map(|v| if *v == high { 1.0 } else { -1.0 }).collect();
            return Ok((
                Task::Classification,
                targets,
                format!("classes {low} (-1) and {high} (1)"),
            ));
        }
        let largest = low.abs().max(high.abs());
        if largest <= 1.0 {
            return Ok((Task::Regression, values.clone(), format!("targets {low} to {high}")));
        }
        let targets = values.iter().map(|v| rounded(v / largest)).collect();
        return Ok((
            Task::Regression,
            targets,
            format!("targets {low} to {high}, divided by {largest}"),
        ));
    }
    kinds.sort_unstable();
    match kinds[..] {
        [a, b] => {
            let targets = labels.iter().map(|(_, l)| if *l == a { -1.0 } else { 1.0 }).collect();
            Ok((Task::Classification, targets, format!("classes {a} (-1) and {b} (1)")))
        }
        [a] => {
            let (line, _) = labels[0];
            Err(Error::new(format!(
                "line {line}: the label is \"{a}\", and so is every other; two are needed"
            )))
        }
        _ => Err(Error::new(format!(
            "the labels are words, and there are more than two: {}, ...; the page learns two classes, or numbers",
            kinds.join(", ")
        ))),
    }
}

/// Moves and scales places into the page's square where they are not within. Says what it did.
fn scale(places: &mut [f64]) -> String {
    let mut said = String::new();
    for axis in 0..2 {
        let of_axis = || places.iter().skip(axis).step_by(2).copied();
        let (low, high) = of_axis()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (v.min(low), v.max(high)));
        if low >= -6.0 && high <= 6.0 {
            places.iter_mut().skip(axis).step_by(2).for_each(|v| *v = rounded(*v));
            continue;
        }
        let (middle, half) = (low / 2.0 + high / 2.0, high / 2.0 - low / 2.0);
        for value in places.iter_mut().skip(axis).step_by(2) {
            let share = if half > 0.0 { (*value - middle) / half } else { 0.0 };
            *value = rounded(5.0 * share).clamp(-6.0, 6.0);
        }
        said += &format!("; x{} from {low} to {high} is scaled to the square", axis + 1);
    }
    said
}

/// A value of four places: an address should be short.
fn rounded(value: f64) -> f64 {
    let rounded = (value * 1e4).round() / 1e4;
    if rounded == 0.0 { 0.0 } else { rounded }
}

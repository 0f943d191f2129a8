//! What is drawn and printed of the points of a table: a map for two inputs, a curve for one, and the
//! table of what is taken for what.

use crate::common::{Options, Outcome, say};
use crate::points::{Points, Scaling, probabilities};
use std::path::Path;
use wgrad::Train;
use wgrad_plot::{ClassMap, ClassNames, ClassPoints, Series, class_map, class_points, curve};

/// Samples of a side of a map.
const SIDE: usize = 100;

/// Samples of a curve.
const SAMPLES: usize = 400;

/// The largest number of classes whose table is printed.
const MAX_PRINTED: usize = 12;

/// The pictures of a table's points.
pub struct Report<'a> {
    pub options: &'a Options,
    pub folder: &'a Path,
    pub points: &'a Points,
    pub scaling: &'a Scaling,
    /// The rows that are held out.
    pub held: &'a [usize],
}

impl Report<'_> {
    fn names(&self) -> Vec<&str> {
        self.points.classes.iter().map(String::as_str).collect()
    }

    /// The smallest and the largest value of a column, with a margin.
    fn range(&self, column: usize) -> (f64, f64) {
        let inputs = self.points.inputs.len();
        let values = self.points.x.iter().skip(column).step_by(inputs);
        let start = (f64::INFINITY, f64::NEG_INFINITY);
        let (low, high) = values.fold(start, |(low, high), v| (low.min(*v), high.max(*v)));
        let margin = 0.05 * (high - low);
        // Values that are all alike, or nearly, get an axis around them.
        let margin =
            if margin > 1e-6 * low.abs().max(high.abs()) { margin } else { 0.5 + 0.1 * high.abs() };
        (low - margin, high + margin)
    }

    /// Whether the columns can be drawn: an axis ends at 1e100.
    fn is_drawable(&self) -> bool {
        self.points.x.iter().all(|x| x.abs() <= 1e99)
    }

    fn class_points(&self) -> ClassPoints<'_> {
        ClassPoints { xy: &self.points.x, class: &self.points.class, rings: self.held }
    }

    /// Draws the points, where they lie in a plane.
    pub fn points(&self) -> Outcome {
        if let ([x, y], true) = (&self.points.inputs[..], self.is_drawable()) {
            let names = ClassNames { classes: &self.names(), axes: [x, y], rings: "held out" };
            let picture = class_points("", &names, &self.class_points())?;
            self.options.save(&picture, self.folder.join("points.png"))?;
        }
        Ok(())
    }

    /// Draws the probabilities of the classes over the one input, or over the two.
    pub fn probabilities(
        &self,
        trainer: &mut dyn Train<Scalar = f32>,
        title: &str,
        name: &str,
    ) -> Outcome {
        let at = |(low, high): (f64, f64), i: usize, count: usize| {
            low + (high - low) * i as f64 / (count - 1) as f64
        };
        let width = self.points.outputs();
        let classes = self.names();
        match &self.points.inputs[..] {
            _ if !self.is_drawable() => Ok(()),
            [x] => {
                let range = self.range(0);
                let places: Vec<f64> = (0..SAMPLES).map(|i| at(range, i, SAMPLES)).collect();
                let outputs = trainer.predict(&self.scaling.scaled(&places))?;
                let found = probabilities(&outputs, width);
                let of_class = |class: usize| -> Vec<(f64, f64)> {
                    let values = found.iter().skip(class).step_by(classes.len());
                    places.iter().copied().zip(values.map(|p| f64::from(*p))).collect()
                };
                let lines: Vec<_> = (0..classes.len()).map(of_class).collect();
                let series = classes.iter().zip(&lines);
                let series: Vec<_> =
                    series.map(|(label, values)| Series { label, values }).collect();
                let picture = curve(title, [x, "Probability"], &series, [false; 2])?;
                self.options.save(&picture, self.folder.join(format!("{name}.png")))
            }
            [x, y] => {
                let axes = [0, 1].map(|column| self.range(column));
                let row = |row: usize| {
                    (0..SIDE).flat_map(move |i| [at(axes[0], i, SIDE), at(axes[1], row, SIDE)])
                };
                let places: Vec<f64> = (0..SIDE).flat_map(row).collect();
                let outputs = trainer.predict(&self.scaling.scaled(&places))?;
                let values = probabilities(&outputs, width);
                let map = ClassMap { values: &values, axes };
                let names = ClassNames { classes: &classes, axes: [x, y], rings: "held out" };
                let points = self.class_points();
                for (end, points) in [("", None), ("_points", Some(&points))] {
                    let picture = class_map(title, &names, &map, points)?;
                    self.options.save(&picture, self.folder.join(format!("{name}{end}.png")))?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Prints how many rows of each class are taken for which.
    pub fn confusion(&self, counts: &[Vec<usize>], of: &str) -> Outcome {
        let names = self.names();
        say!(self.options, "");
        say!(self.options, "{of}, each class and what it is taken for");
        if names.len() > MAX_PRINTED {
            let mut wrong: Vec<(usize, usize, usize)> = Vec::new();
            for (class, row) in counts.iter().enumerate() {
                let others = row.iter().enumerate().filter(|(to, n)| *to != class && **n > 0);
                wrong.extend(others.map(|(to, n)| (*n, class, to)));
            }
            wrong.sort_by(|a, b| b.0.cmp(&a.0).then(a.cmp(b)));
            say!(self.options, "{} classes; the {MAX_PRINTED} largest confusions:", names.len());
            for (count, class, to) in wrong.into_iter().take(MAX_PRINTED) {
                say!(self.options, "{count:>8}  {} as {}", short(names[class]), short(names[to]));
            }
            return Ok(());
        }
        for line in table(&names, counts) {
            say!(self.options, "{line}");
        }
        Ok(())
    }
}

/// The lines of a table of counts, a row and a column for each class.
pub fn table(names: &[&str], counts: &[Vec<usize>]) -> Vec<String> {
    let names: Vec<String> = names.iter().map(|name| short(name)).collect();
    let digits = counts.iter().flatten().map(|count| count.to_string().len()).max().unwrap_or(1);
    let cell = names.iter().map(|name| name.chars().count()).max().unwrap_or(1);
    let (first, cell) = (cell.max(8), cell.max(digits) + 2);
    let mut lines = vec![format!("{:first$}", "")];
    names.iter().for_each(|name| lines[0] += &format!("{name:>cell$}"));
    for (name, row) in names.iter().zip(counts) {
        let mut line = format!("{name:first$}");
        row.iter().for_each(|count| line += &format!("{count:>cell$}"));
        lines.push(line);
    }
    lines
}

/// A name with at most 16 characters.
fn short(name: &str) -> String {
    match name.char_indices().nth(16) {
        None => name.to_owned(),
        Some(_) => name.chars().take(15).chain(['…']).collect(),
    }
}

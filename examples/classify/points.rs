//! The points that are learnt: a dataset of the library's or a table, some of them held out; how
//! their columns are scaled; what the network's outputs say of the classes.

use crate::common::{Outcome, usage};
use crate::table::Table;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use wgrad::{Activation, Data, Dataset, Loss, Mlp, Parameters};

/// Points of some classes.
#[derive(Debug, Clone)]
pub struct Points {
    /// The name, which is that of the pictures' folder.
    pub name: String,
    /// The names of the inputs.
    pub inputs: Vec<String>,
    /// The names of the classes.
    pub classes: Vec<String>,
    /// The inputs, `[rows, inputs]`.
    pub x: Vec<f64>,
    /// The class of each row.
    pub class: Vec<usize>,
    /// Whether they come from a table, whose columns are scaled.
    pub is_table: bool,
}

impl Points {
    /// Samples a dataset.
    pub fn sampled(dataset: Dataset, rows: usize, seed: u64) -> Outcome<Self> {
        let data = dataset.sample(rows, seed).map_err(usage)?;
        Ok(Self {
            name: dataset.name().into(),
            inputs: vec!["x".into(), "y".into()],
            classes: vec!["class 0".into(), "class 1".into()],
            x: data.x().iter().map(|x| f64::from(*x)).collect(),
            class: data.t().iter().map(|t| usize::from(*t > 0.5)).collect(),
            is_table: false,
        })
    }

    /// The points of a table.
    pub fn of_table(name: String, table: Table) -> Self {
        let Table { inputs, classes, x, class, .. } = table;
        Self { name, inputs, classes, x, class, is_table: true }
    }

    pub fn rows(&self) -> usize {
        self.class.len()
    }

    /// Outputs of the network: one for two classes, otherwise one a class.
    pub fn outputs(&self) -> usize {
        if self.classes.len() == 2 { 1 } else { self.classes.len() }
    }

    /// The last activation and the loss.
    pub fn goal(&self) -> (Activation, Loss) {
        match self.outputs() {
            1 => (Activation::Sigmoid, Loss::BinaryCrossEntropy),
            _ => (Activation::Identity, Loss::SoftmaxCrossEntropy),
        }
    }

    /// The rows to train with and those held out, a share of each class, sampled by `seed`.
    pub fn split(&self, share: f64, seed: u64) -> Outcome<[Vec<usize>; 2]> {
        let mut is_held = vec![false; self.rows()];
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        for class in 0..self.classes.len() {
            let mut rows: Vec<usize> =
                (0..self.rows()).filter(|row| self.class[*row] == class).collect();
            let most = rows.len().saturating_sub(1);
            let held = ((share * rows.len() as f64).round() as usize).min(most);
            // The first steps of Fisher's and Yates' shuffle.
            for i in 0..held {
                let other = random.random_range(i..rows.len());
                rows.swap(i, other);
                is_held[rows[i]] = true;
            }
        }
        let [train, held]: [Vec<usize>; 2] = [false, true]
            .map(|held| (0..self.rows()).filter(|row| is_held[*row] == held).collect());
        if held.is_empty() {
            return Err(usage(format!(
                "--test {share} holds out no row of {}; allowed: a share that is a row of a class",
                self.rows()
            )));
        }
        Ok([train, held])
    }

    /// Some rows as data of a network, with their columns scaled.
    pub fn data(&self, rows: &[usize], scaling: &Scaling) -> Outcome<Data> {
        let (inputs, outputs) = (self.inputs.len(), self.outputs());
        let x = rows.iter().flat_map(|row| &self.x[row * inputs..][..inputs]).copied();
        let x = scaling.scaled(&x.collect::<Vec<_>>());
        let mut t = vec![0.0; rows.len() * outputs];
        for (row, t) in rows.iter().zip(t.chunks_mut(outputs)) {
            match (outputs, self.class[*row]) {
                (1, class) => t[0] = f32::from(u8::from(class == 1)),
                (_, class) => t[class] = 1.0,
            }
        }
        Ok(Data::new(inputs, outputs, x, t)?)
    }
}

/// How each column is scaled: its mean is taken off, and what is left is divided by its deviation.
#[derive(Debug, Clone, PartialEq)]
pub struct Scaling {
    pub mean: Vec<f64>,
    pub deviation: Vec<f64>,
}

impl Scaling {
    /// Columns as they are.
    pub fn none(inputs: usize) -> Self {
        Self { mean: vec![0.0; inputs], deviation: vec![1.0; inputs] }
    }

    /// The means and the deviations of some rows of `[rows, inputs]`; a column whose rows are all alike
    /// has a deviation of 1.
    pub fn of(x: &[f64], inputs: usize, rows: &[usize]) -> Self {
        let mut scaling = Self::none(inputs);
        for column in 0..inputs {
            let values = || rows.iter().map(|row| x[row * inputs + column]);
            // Divided by the largest first: squares of finite numbers may be infinite.
            let size = values().fold(0.0_f64, |size, value| size.max(value.abs()));
            let size = if size > 0.0 { size } else { 1.0 };
            let count = rows.len() as f64;
            let mean = values().map(|value| value / size / count).sum::<f64>();
            let square = values().map(|value| (value / size - mean).powi(2) / count).sum::<f64>();
            scaling.mean[column] = mean * size;
            // Less than this is the mean's rounding.
            if square.sqrt() > 1e-13 {
                scaling.deviation[column] = square.sqrt() * size;
            }
        }
        scaling
    }

    /// Rows `[rows, inputs]`, scaled.
    pub fn scaled(&self, x: &[f64]) -> Vec<f32> {
        let columns = self.mean.iter().zip(&self.deviation).cycle();
        x.iter()
            .zip(columns)
            .map(|(x, (mean, deviation))| ((x - mean) / deviation) as f32)
            .collect()
    }

    /// Parameters that see scaled columns, as parameters that see the columns as they are.
    pub fn folded(&self, parameters: &Parameters) -> Outcome<Parameters> {
        self.changed(parameters, |weights, bias| {
            for ((weight, mean), deviation) in
                weights.iter_mut().zip(&self.mean).zip(&self.deviation)
            {
                *weight /= deviation;
                *bias -= *weight * mean;
            }
        })
    }

    /// The opposite of [`Scaling::folded`].
    pub fn unfolded(&self, parameters: &Parameters) -> Outcome<Parameters> {
        self.changed(parameters, |weights, bias| {
            for ((weight, mean), deviation) in
                weights.iter_mut().zip(&self.mean).zip(&self.deviation)
            {
                *bias += *weight * mean;
                *weight *= deviation;
            }
        })
    }

    /// Changes the weights and the bias of each unit of the first layer.
    fn changed(
        &self,
        parameters: &Parameters,
        change: impl Fn(&mut [f64], &mut f64),
    ) -> Outcome<Parameters> {
        let mlp: &Mlp = parameters.mlp();
        let mut values: Vec<f64> = parameters.values().iter().map(|v| f64::from(*v)).collect();
        let inputs = self.mean.len();
        let first = mlp.ranges().into_iter().next();
        for (unit, bias) in first.iter().flat_map(|layer| layer.bias.clone().enumerate()) {
            let at = first.as_ref().map_or(0, |layer| layer.weight.start) + unit * inputs;
            let mut own = values[bias];
            change(&mut values[at..at + inputs], &mut own);
            values[bias] = own;
        }
        Ok(Parameters::new(mlp.clone(), 1, values)?.cast()?)
    }
}

/// The probability of each class from the outputs `[rows, outputs]`: `[rows, classes]`.
pub fn probabilities(outputs: &[f32], width: usize) -> Vec<f32> {
    match width {
        1 => outputs.iter().flat_map(|y| [1.0 - y, *y]).collect(),
        _ => outputs.chunks(width).flat_map(softmax).collect(),
    }
}

fn softmax(z: &[f32]) -> Vec<f32> {
    let top = z.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f32> = z.iter().map(|z| (z - top).exp()).collect();
    let sum: f32 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

/// How many rows of each class `[class]` the network takes for each class `[predicted]`.
pub fn confusion(probabilities: &[f32], class: &[usize], classes: usize) -> Vec<Vec<usize>> {
    let mut counts = vec![vec![0; classes]; classes];
    for (row, class) in probabilities.chunks(classes).zip(class) {
        let mut best = 0;
        for (i, p) in row.iter().enumerate() {
            if *p > row[best] {
                best = i;
            }
        }
        counts[*class][best] += 1;
    }
    counts
}

//! The encodings that ONNX's operators can say.

use super::graph::{Builder, integer};
use crate::error::{Error, Result};
use crate::network::encoding::encoding_ranges;
use crate::network::{Encoding, Mlp};

/// Adds the encodings of a network's input and gives the name of the first layer's input.
pub fn encode(builder: &mut Builder, mlp: &Mlp, input: &str) -> Result<String> {
    let ranges = encoding_ranges(mlp);
    let mut encoded = Vec::new();
    for (index, range) in ranges.iter().enumerate() {
        builder.scope = format!("encoding_{index}");
        let mut x = input.to_owned();
        if ranges.len() > 1 {
            let [start, end] = [range.inputs.start, range.inputs.end].map(|at| {
                let at = i64::try_from(at).unwrap_or(i64::MAX);
                builder.integers(&[at])
            });
            let axis = builder.integers(&[1]);
            x = builder.op("Slice", &[&x, &start, &end, &axis]);
        }
        let outputs = range.outputs.len();
        encoded.push(match range.encoding {
            Encoding::Identity(identity) => {
                let [scale, offset] = [identity.scale, identity.offset].map(crate::numeric::to_f32);
                let scaled = builder.op_with("Mul", &x, scale);
                builder.op_with("Add", &scaled, offset)
            }
            Encoding::Frequency(frequency) => waves(builder, &x, frequency.frequencies, outputs),
            Encoding::TriangleWave(wave) => triangles(builder, &x, wave.frequencies, outputs),
            Encoding::OneBlob(blob) => blobs(builder, &x, blob.bins, outputs),
            other => {
                let allowed = "identity, frequency, triangle_wave or one_blob in an ONNX file";
                return Err(Error::argument("the encoding", other.name(), allowed));
            }
        });
    }
    builder.scope = "encoding".into();
    let encoded: Vec<&str> = encoded.iter().map(String::as_str).collect();
    Ok(match encoded[..] {
        [] => input.to_owned(),
        [one] => one.to_owned(),
        _ => builder.node("Concat", &encoded, vec![integer("axis", 1)]),
    })
}

/// `[rows, inputs]` as `[rows, inputs, 1]`.
fn column(builder: &mut Builder, x: &str) -> String {
    let axis = builder.integers(&[2]);
    builder.op("Unsqueeze", &[x, &axis])
}

/// `[rows, …]` as `[rows, outputs]`.
fn flat(builder: &mut Builder, y: &str, outputs: usize) -> String {
    let shape = builder.integers(&[-1, i64::try_from(outputs).unwrap_or(i64::MAX)]);
    builder.op("Reshape", &[y, &shape])
}

/// A row of numbers, one for each octave.
fn row(builder: &mut Builder, octaves: u32, number: impl Fn(u32) -> f64) -> String {
    let values: Vec<f32> = (0..octaves).map(|i| crate::numeric::to_f32(number(i))).collect();
    builder.floats(&[values.len()], &values)
}

/// sin(π u) and cos(π u) in turn, with u = 2ⁱ x without whole turns.
fn waves(builder: &mut Builder, x: &str, frequencies: u32, outputs: usize) -> String {
    let x = column(builder, x);
    let octaves = row(builder, frequencies, |i| f64::from(i).exp2());
    let u = builder.op("Mul", &[&x, &octaves]);
    let half = builder.op_with("Mul", &u, 0.5);
    let shifted = builder.op_with("Add", &half, 0.5);
    let floor = builder.op("Floor", &[&shifted]);
    let turns = builder.op_with("Mul", &floor, 2.0);
    let rest = builder.op("Sub", &[&u, &turns]);
    let angle = builder.op_with("Mul", &rest, std::f32::consts::PI);
    let axis = builder.integers(&[3]);
    let both = ["Sin", "Cos"].map(|operator| {
        let wave = builder.op(operator, &[&angle]);
        builder.op("Unsqueeze", &[&wave, &axis])
    });
    let both = builder.node("Concat", &[&both[0], &both[1]], vec![integer("axis", 3)]);
    flat(builder, &both, outputs)
}

/// 4 |v − ⌊v⌋ − ½| − 1 with v = 2ⁱ⁻¹ x + i / 4.
fn triangles(builder: &mut Builder, x: &str, frequencies: u32, outputs: usize) -> String {
    let x = column(builder, x);
    let octaves = row(builder, frequencies, |i| f64::from(i).exp2() / 2.0);
    let shifts = row(builder, frequencies, |i| 0.25 * f64::from(i % 4));
    let fraction = |builder: &mut Builder, v: &str| {
        let floor = builder.op("Floor", &[v]);
        builder.op("Sub", &[v, &floor])
    };
    let v = builder.op("Mul", &[&x, &octaves]);
    // Subtracting the whole part first keeps adding the shift exact.
    let v = fraction(builder, &v);
    let v = builder.op("Add", &[&v, &shifts]);
    let v = fraction(builder, &v);
    let v = builder.op_with("Sub", &v, 0.5);
    let v = builder.op("Abs", &[&v]);
    let v = builder.op_with("Mul", &v, 4.0);
    let v = builder.op_with("Sub", &v, 1.0);
    flat(builder, &v, outputs)
}

/// The integral of a blob's density over each bin, with its images beyond 0 and 1.
fn blobs(builder: &mut Builder, x: &str, bins: u32, outputs: usize) -> String {
    let x = column(builder, x);
    let axis = builder.integers(&[3]);
    // [rows, inputs, 3 turns, bins]
    let x = builder.op("Unsqueeze", &[&x, &axis]);
    let turns = builder.floats(&[3, 1], &[-1.0, 0.0, 1.0]);
    let from = builder.op("Sub", &[&turns, &x]);
    let from = builder.op_with("Mul", &from, crate::numeric::to_f32(f64::from(bins)));
    let edges = row(builder, bins, f64::from);
    let left = builder.op("Add", &[&from, &edges]);
    let right = builder.op_with("Add", &left, 1.0);
    let [begin, end] = [left, right].map(|edge| share(builder, &edge));
    let all = builder.op("Sub", &[&end, &begin]);
    let axis = builder.integers(&[2]);
    let sum = builder.node("ReduceSum", &[&all, &axis], vec![integer("keepdims", 0)]);
    flat(builder, &sum, outputs)
}

/// ½ + 15/16 u (1 + u² (u² / 5 − 2/3)), the density's integral from −1 to u.
fn share(builder: &mut Builder, edge: &str) -> String {
    let limits = [-1.0, 1.0].map(|limit| builder.floats(&[], &[limit]));
    let u = builder.op("Clip", &[edge, &limits[0], &limits[1]]);
    let square = builder.op("Mul", &[&u, &u]);
    let inner = builder.op_with("Mul", &square, 0.2);
    let inner = builder.op_with("Sub", &inner, 2.0 / 3.0);
    let inner = builder.op("Mul", &[&square, &inner]);
    let inner = builder.op_with("Add", &inner, 1.0);
    let scaled = builder.op_with("Mul", &u, 15.0 / 16.0);
    let product = builder.op("Mul", &[&scaled, &inner]);
    builder.op_with("Add", &product, 0.5)
}

//! tiny-cuda-nn's flat parameters.
//!
//! The layout is that of its source (commit 6ee3546): `NetworkWithInputEncoding::set_params_impl`
//! puts the network's parameters first and the encoding's after them. `FullyFusedMLP` and
//! `CutlassMLP` store a row-major matrix a layer and no biases; both pad the outputs to a multiple
//! of 16. `Encoding::set_alignment` pads the network's inputs. What lies there is a 1 in the kernels of
//! every encoding but the grid's, where it is a 0: the weights of such columns add up to a bias.

use crate::error::{Error, Result};
use crate::network::{Encoding, Mlp, Parameters};
use crate::numeric::{Real, with_room};

/// What outputs and the first layer's inputs are padded to.
const ALIGNMENT: usize = 16;

/// A column of the first layer's weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Input,
    /// Padding that holds ones.
    One,
    /// Padding that holds zeros.
    Zero,
}

impl<T: Real> Parameters<T> {
    /// Takes the flat parameters of tiny-cuda-nn: the tensor `params` of its PyTorch module
    /// (`NetworkWithInputEncoding` or `Network`), or `params_binary` of a snapshot, as numbers.
    ///
    /// The network's matrices come first, each `[units, inputs]`, with the outputs and the first layer's
    /// inputs padded to multiples of 16; the grids' tables follow. tiny-cuda-nn has no biases, but
    /// its encodings other than the grid pad the first layer's inputs with ones: the weights of
    /// these become the first layer's bias. Biases of other layers are zeros.
    ///
    /// ```
    /// use wgrad::{Activation, Mlp, Parameters};
    /// // 2 inputs padded to 16, 16 units, 1 output padded to 16.
    /// let mlp = Mlp::new(2).layer(16, Activation::Relu).layer(1, Activation::Identity);
    /// let parameters = Parameters::from_tiny_cuda_nn(&mlp, &[0.1_f32; 16 * 16 + 16 * 16])?;
    /// assert!((parameters.values()[32] - 1.4).abs() < 1e-6); // 14 columns of ones
    /// # Ok::<(), wgrad::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Argument`]: another number of parameters; hidden layers of different widths; padding with
    /// ones in front of a first layer without a bias; spherical harmonics whose number of outputs is
    /// no multiple of 16, since tiny-cuda-nn's own kernels pad them on either side.
    pub fn from_tiny_cuda_nn(mlp: &Mlp, params: &[T]) -> Result<Self> {
        mlp.check()?;
        let columns = columns(mlp)?;
        let last = mlp.layers.len() - 1;
        let hidden = &mlp.layers[..last];
        if let Some(pair) = hidden.windows(2).find(|pair| pair[0].units != pair[1].units) {
            let allowed =
                format!("{} as in the layer before: tiny-cuda-nn has one width", pair[0].units);
            return Err(Error::argument("a hidden layer's units", pair[1].units, allowed));
        }
        let side = |index: usize, units: usize| match index == last {
            true => units.next_multiple_of(ALIGNMENT),
            false => units,
        };
        let ranges = mlp.ranges();
        let sizes = ranges.iter().enumerate().map(|(index, range)| {
            let inputs = if index == 0 { columns.len() } else { range.shape[1] };
            side(index, range.shape[0]).saturating_mul(inputs)
        });
        let sizes: Vec<usize> = sizes.collect();
        let layers = sizes.iter().fold(0, |sum: usize, size| sum.saturating_add(*size));
        let tables = mlp.encoding_parameters();
        if layers.checked_add(tables) != Some(params.len()) {
            let allowed = format!("{layers} of the layers and {tables} of the grids");
            return Err(Error::argument(
                "the number of tiny-cuda-nn's parameters",
                params.len(),
                allowed,
            ));
        }
        let mut values = with_room("the parameters", mlp.parameters())?;
        values.extend_from_slice(&params[layers..]);
        let mut rest = params;
        for (index, (range, size)) in ranges.iter().zip(sizes).enumerate() {
            let (matrix, after) = rest.split_at(size);
            rest = after;
            let [units, inputs] = range.shape;
            let rows = matrix.chunks(if index == 0 { columns.len() } else { inputs }).take(units);
            if index > 0 {
                values.extend(rows.flatten());
                values.resize(range.bias.end, T::ZERO);
                continue;
            }
            let of = |kind: Column| {
                move |(column, weight): (&Column, &T)| (*column == kind).then_some(*weight)
            };
            let mut bias = Vec::new();
            for row in rows {
                let pairs = || columns.iter().zip(row);
                values.extend(pairs().filter_map(of(Column::Input)));
                let ones = pairs().filter_map(of(Column::One));
                bias.push(ones.fold(T::ZERO, |sum, weight| sum + weight));
            }
            if !range.bias.is_empty() {
                values.extend(bias);
            } else if bias.iter().any(|sum| *sum != T::ZERO) {
                let allowed = "one, since tiny-cuda-nn pads this layer's inputs with ones";
                return Err(Error::argument("the bias of layer 0", "none", allowed));
            }
        }
        Self::new(mlp.clone(), 1, values)
    }
}

/// The first layer's columns, padding and all.
fn columns(mlp: &Mlp) -> Result<Vec<Column>> {
    let mut columns = Vec::new();
    if mlp.encoding.is_empty() {
        // What has no encoding has tiny-cuda-nn's identity in front.
        columns.resize(mlp.inputs, Column::Input);
        columns.resize(mlp.inputs.next_multiple_of(ALIGNMENT), Column::One);
    }
    for (index, part) in mlp.encoding.iter().enumerate() {
        columns.resize(columns.len() + part.encoding.outputs(part.inputs), Column::Input);
        // An encoding is padded to what the next one asks for, the last to what the network does.
        let multiple = match mlp.encoding.get(index + 1).map(|part| part.encoding) {
            None => ALIGNMENT,
            Some(Encoding::Grid(grid)) => (grid.features_per_level as usize).max(1),
            Some(_) => 1,
        };
        let padded = columns.len().next_multiple_of(multiple);
        let padding = match part.encoding {
            Encoding::Grid(_) => Column::Zero,
            Encoding::SphericalHarmonics(_) if padded > columns.len() => {
                let outputs = part.encoding.outputs(part.inputs);
                let what = "the outputs of the encoding spherical_harmonics";
                let allowed = format!(
                    "a multiple of {multiple} after what stands before, in tiny-cuda-nn's parameters"
                );
                return Err(Error::argument(what, outputs, allowed));
            }
            _ => Column::One,
        };
        columns.resize(padded, padding);
    }
    Ok(columns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Activation;
    use crate::network::encoding::{Grid, Identity, OneBlob, SphericalHarmonics, encode};

    /// The first layer's inputs.
    fn encoded(mlp: &Mlp, parameters: &[f64], x: &[f64]) -> Vec<f64> {
        if mlp.encoding.is_empty() { x.to_vec() } else { encode(mlp, parameters, x) }
    }

    /// The outputs as tiny-cuda-nn computes them: padded matrices, no biases.
    fn padded(mlp: &Mlp, params: &[f64], x: &[f64], padding: &[(usize, usize, f64)]) -> Vec<f64> {
        let widths: Vec<usize> = mlp.layers.iter().map(|layer| layer.units).collect();
        let first: usize = mlp.layer_inputs(0) + padding.iter().map(|p| p.1).sum::<usize>();
        let mut sides = vec![first];
        sides.extend(&widths[..widths.len() - 1]);
        sides.push(widths[widths.len() - 1].next_multiple_of(16));
        let layers: usize = sides.windows(2).map(|pair| pair[0] * pair[1]).sum();
        let mut values = encoded(mlp, &params[layers..], x);
        for (at, count, value) in padding {
            values.splice(at..at, vec![*value; *count]);
        }
        let mut rest = params;
        for (layer, pair) in mlp.layers.iter().zip(sides.windows(2)) {
            let (matrix, after) = rest.split_at(pair[0] * pair[1]);
            rest = after;
            let dot = |row: &[f64]| row.iter().zip(&values).map(|(w, x)| w * x).sum::<f64>();
            values = matrix.chunks(pair[0]).map(|row| layer.activation.value(dot(row))).collect();
        }
        values.truncate(mlp.outputs());
        values
    }

    fn own(parameters: &Parameters<f64>, x: &[f64]) -> Vec<f64> {
        let mlp = parameters.mlp();
        let mut values = encoded(mlp, parameters.values(), x);
        for (layer, range) in mlp.layers.iter().zip(mlp.ranges()) {
            let rows = parameters.values()[range.weight].chunks(range.shape[1]);
            let bias = &parameters.values()[range.bias];
            let next = rows.enumerate().map(|(unit, row)| {
                let dot = row.iter().zip(&values).map(|(w, x)| w * x).sum::<f64>();
                layer.activation.value(dot + bias.get(unit).copied().unwrap_or(0.0))
            });
            values = next.collect();
        }
        values
    }

    #[test]
    fn the_outputs_are_those_of_the_padded_matrices() {
        let grid = Grid { levels: 3, log2_hashmap_size: 6, ..Grid::default() };
        let layers = |mlp: Mlp| {
            let mlp = mlp.layer(16, Activation::Relu).layer(16, Activation::Tanh);
            mlp.layer(3, Activation::Sigmoid)
        };
        type Padding = Vec<(usize, usize, f64)>;
        let cases: [(Mlp, Padding); 6] = [
            (layers(Mlp::new(3)), vec![(3, 13, 1.0)]),
            (layers(Mlp::new(16)), vec![]),
            (Mlp::new(3).layer(5, Activation::Tanh), vec![(3, 13, 1.0)]),
            (layers(Mlp::new(2).encode(2, grid)), vec![(6, 10, 0.0)]),
            // The identity's three outputs are padded to four, for a grid of pairs.
            (
                layers(Mlp::new(5).encode(3, Identity::default()).encode(2, grid)),
                vec![(3, 1, 1.0), (10, 6, 0.0)],
            ),
            (
                layers(Mlp::new(3).encode(2, grid).encode(1, OneBlob { bins: 4 })),
                vec![(10, 6, 1.0)],
            ),
        ];
        for (mlp, padding) in cases {
            let inputs = mlp.layer_inputs(0) + padding.iter().map(|p| p.1).sum::<usize>();
            assert_eq!(columns(&mlp).unwrap().len(), inputs, "{mlp}");
            let hidden: usize =
                if mlp.layers.len() == 1 { inputs * 16 } else { inputs * 16 + 16 * 16 + 16 * 16 };
            let count = hidden + mlp.encoding_parameters();
            let mut random = crate::numeric::Random::new(5);
            let params: Vec<f64> = (0..count).map(|_| random.uniform(-0.5, 0.5)).collect();
            let parameters = Parameters::from_tiny_cuda_nn(&mlp, &params).unwrap();
            for row in 0..20 {
                let x: Vec<f64> =
                    (0..mlp.inputs).map(|i| f64::from(row) / 21.0 + 0.01 * i as f64).collect();
                let (found, expected) = (own(&parameters, &x), padded(&mlp, &params, &x, &padding));
                for (found, expected) in found.iter().zip(&expected) {
                    assert!((found - expected).abs() <= 1e-12, "{mlp}: {found} for {expected}");
                }
            }
            for wrong in [0, count - 1, count + 1] {
                let error = Parameters::from_tiny_cuda_nn(&mlp, &vec![0.0; wrong]).unwrap_err();
                assert!(
                    error.to_string().starts_with("the number of tiny-cuda-nn's parameters is")
                );
            }
        }
    }

    #[test]
    fn what_tiny_cuda_nn_cannot_have_is_refused() {
        let uneven = Mlp::new(16).layer(16, Activation::Relu).layer(32, Activation::Relu);
        let uneven = uneven.layer(1, Activation::Identity);
        let padded =
            Mlp::new(3).encode(3, SphericalHarmonics { degree: 3 }).layer(16, Activation::Relu);
        for (mlp, words) in [
            (uneven, "a hidden layer's units is 32; allowed: 16"),
            (
                padded,
                "the outputs of the encoding spherical_harmonics is 9; allowed: a multiple of 16",
            ),
        ] {
            let error = Parameters::from_tiny_cuda_nn(&mlp, &[0.0_f32; 256]).unwrap_err();
            assert!(error.to_string().starts_with(words), "{error}");
        }
        let whole =
            Mlp::new(3).encode(3, SphericalHarmonics { degree: 4 }).layer(16, Activation::Relu);
        assert!(Parameters::from_tiny_cuda_nn(&whole, &[0.5_f32; 256]).is_ok());
    }
}

//! The crate's own files.

use crate::error::{Error, Result};
use crate::network::encoding::{Grid, Identity};
use crate::network::{Activation, Init, Mlp, Parameters};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

fn mlp() -> Mlp {
    Mlp::new(3).layer(4, Activation::Tanh).layer(2, Activation::Identity)
}

#[test]
fn files_give_back_the_same_bits() {
    for models in [1, 3] {
        let parameters = Init::Auto.sample(&mlp(), models, 1).unwrap();
        let bytes = parameters.to_safetensors().unwrap();
        assert_eq!(Parameters::from_safetensors(&bytes, &mlp(), models), Ok(parameters.clone()));
        let wide = parameters.cast::<f64>().unwrap();
        let bytes = wide.to_safetensors().unwrap();
        assert_eq!(Parameters::from_safetensors(&bytes, &mlp(), models), Ok(parameters));
    }
    let bytes = Init::Auto.sample(&mlp(), 3, 1).unwrap().to_safetensors().unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(file.names().len(), 4);
    assert_eq!(file.tensor("layers.0.weight").unwrap().shape(), [3, 4, 3]);
    assert_eq!(file.tensor("layers.1.bias").unwrap().shape(), [3, 2]);
}

#[test]
fn tables_are_a_tensor_of_their_own() {
    let grid = Grid { levels: 2, log2_hashmap_size: 5, features_per_level: 4, ..Grid::default() };
    let mlp =
        Mlp::new(3).encode(1, Identity::default()).encode(2, grid).layer(2, Activation::Identity);
    for models in [1, 2] {
        let parameters = Init::Auto.sample(&mlp, models, 1).unwrap();
        let bytes = parameters.to_safetensors().unwrap();
        assert_eq!(Parameters::from_safetensors(&bytes, &mlp, models), Ok(parameters.clone()));
        let file = SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(file.names().len(), 3);
        let tables = file.tensor("encoding.1.tables").unwrap();
        let shape = [models, 64, 4];
        assert_eq!(tables.shape(), if models == 1 { &shape[1..] } else { &shape });
        let first: Vec<f32> = tables.data().chunks(4).map(bytemuck::pod_read_unaligned).collect();
        assert_eq!(first[..256], parameters.values()[..256]);
        assert!(first.iter().all(|v| v.abs() <= 1e-4));
        // Another grid with as many entries has another shape.
        let other = Grid { features_per_level: 2, log2_hashmap_size: 6, ..grid };
        let other = Mlp::new(3)
            .encode(1, Identity::default())
            .encode(2, other)
            .layer(2, Activation::Identity);
        let error = Parameters::<f32>::from_safetensors(&bytes, &other, models).unwrap_err();
        assert!(error.to_string().starts_with("encoding.1.tables: has the shape"), "{error}");
        // The same tables over another box are another network.
        let boxed = grid.in_box([0.0; 3], [1.0, 2.0, 9.0]);
        let boxed = Mlp::new(3)
            .encode(1, Identity::default())
            .encode(2, boxed)
            .layer(2, Activation::Identity);
        let error = Parameters::<f32>::from_safetensors(&bytes, &boxed, models).unwrap_err();
        let words = "encoding.1.box: is [0.0, 0.0] to [1.0, 1.0], but the network's is [0.0, 0.0] to [1.0, 2.0]";
        assert_eq!(error.to_string(), words);
    }
}

/// Nothing is allocated for a network that the file does not hold.
#[test]
fn a_small_file_of_a_huge_network_is_refused_by_its_tensors() {
    let bytes = Init::Auto.sample(&mlp(), 1, 1).unwrap().to_safetensors().unwrap();
    let huge = Mlp::new(60_000).layer(60_000, Activation::Tanh);
    let two = huge.clone().layer(9, Activation::Tanh);
    let deep = (0..1 << 20).fold(Mlp::new(1), |mlp, _| mlp.layer(1, Activation::Tanh));
    for (mlp, models) in [(huge, 1), (two, 1), (deep, 1), (mlp(), 100_000_000)] {
        let error = Parameters::<f64>::from_safetensors(&bytes, &mlp, models).unwrap_err();
        assert!(matches!(error, Error::File { .. }), "{error}");
    }
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let bytes = Init::Auto.sample(&mlp(), 1, 1).unwrap().to_safetensors().unwrap();
    for end in 0..bytes.len() {
        let error = Parameters::<f32>::from_safetensors(&bytes[..end], &mlp(), 1);
        assert!(matches!(error, Err(Error::File { .. })), "cut at {end}: {error:?}");
    }
}

#[test]
fn wrong_files_are_refused_by_the_tensors_name() {
    let f32s = |n: usize| vec![0_u8; 4 * n];
    let nan: Vec<u8> = [0.0, f32::NAN].iter().flat_map(|v| v.to_le_bytes()).collect();
    type Tensors = Vec<(&'static str, Dtype, Vec<usize>, Vec<u8>)>;
    let file = |change: &dyn Fn(&mut Tensors)| {
        let mut tensors = vec![
            ("layers.0.weight", Dtype::F32, vec![4, 3], f32s(12)),
            ("layers.0.bias", Dtype::F32, vec![4], f32s(4)),
            ("layers.1.weight", Dtype::F32, vec![2, 4], f32s(8)),
            ("layers.1.bias", Dtype::F32, vec![2], f32s(2)),
        ];
        change(&mut tensors);
        let views =
            tensors.iter().map(|(n, d, s, b)| (*n, TensorView::new(*d, s.clone(), b).unwrap()));
        let bytes = safetensors::serialize(views, None).unwrap();
        Parameters::<f32>::from_safetensors(&bytes, &mlp(), 1)
    };
    assert!(file(&|_| ()).is_ok());
    let message = |result: Result<Parameters>| result.unwrap_err().to_string();
    assert_eq!(
        message(file(&|t| {
            t.remove(1);
        })),
        "layers.0.bias: missing from the file; `ReadOptions::zero_biases` would take zeros"
    );
    assert_eq!(
        message(file(&|t| t[2].2 = vec![4, 2])),
        "layers.1.weight: has the shape [4, 2], not [2, 4]"
    );
    assert!(
        message(file(&|t| t[3].3.clone_from(&nan)))
            .starts_with("layers.1.bias: holds NaN at element 1")
    );
    assert!(message(file(&|t| t[1].1 = Dtype::I32)).starts_with("layers.0.bias: is of type I32"));
    assert!(
        message(file(&|t| t.push(("layers.2.weight", Dtype::F32, vec![1], f32s(1)))))
            .starts_with("layers.2.weight: not a tensor of")
    );
}

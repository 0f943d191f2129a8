//! Files that come back as they were, and files that are no perceptron.

use super::graph::{float, integer};
use super::proto::{
    Graph, Length, Model, Node, OperatorSet, Shape, Side, Tensor, TensorType, Type, ValueInfo,
};
use crate::error::Error;
use crate::network::encoding::{Frequency, Grid, Identity};
use crate::network::{Activation, Init, Mlp, Parameters};
use prost::Message;

fn decode(bytes: &[u8]) -> Model {
    Model::decode(bytes).unwrap()
}

/// A file of `nodes`, each an operator, its inputs and its output, over the input `x` of two.
fn file(nodes: &[(&str, &[&str], &str)], change: impl Fn(&mut Graph)) -> Vec<u8> {
    let side = [Length::Name("rows".into()), Length::Value(2)];
    let side = side.map(|length| Side { length: Some(length) }).to_vec();
    let tensor = TensorType { element: 1, shape: Some(Shape { side }) };
    let value = |name: &str| ValueInfo {
        name: name.into(),
        r#type: Some(Type { tensor: Some(tensor.clone()) }),
    };
    let constant = |name: &str, dims: &[i64]| Tensor {
        name: name.into(),
        dims: dims.to_vec(),
        data_type: 1,
        float_data: (1..=dims.iter().product::<i64>()).map(|i| i as f32 * 0.25).collect(),
        ..Tensor::default()
    };
    let node = |(operator, input, output): &(&str, &[&str], &str)| Node {
        op_type: (*operator).into(),
        input: input.iter().map(|&name| name.into()).collect(),
        output: vec![(*output).into()],
        name: format!("the_{output}"),
        ..Node::default()
    };
    let mut graph = Graph {
        node: nodes.iter().map(node).collect(),
        name: "g".into(),
        initializer: vec![
            constant("w", &[2, 3]),
            constant("v", &[3, 1]),
            constant("b", &[3]),
            constant("c", &[1]),
            constant("quarter", &[]),
        ],
        input: vec![value("x")],
        output: vec![value("y")],
    };
    change(&mut graph);
    let opset_import = vec![OperatorSet { version: 13, ..OperatorSet::default() }];
    Model { graph: Some(graph), opset_import, ..Model::default() }.encode_to_vec()
}

#[test]
fn every_activation_comes_back() {
    for activation in Activation::ALL {
        for f64s in [false, true] {
            let mlp = Mlp::new(3).layer(4, *activation).layer(5, Activation::Relu);
            let mlp = mlp.layer(2, *activation);
            let parameters = Init::Auto.sample(&mlp, 1, 7).unwrap();
            let bytes = match f64s {
                true => parameters.cast::<f64>().unwrap().to_onnx().unwrap(),
                false => parameters.to_onnx().unwrap(),
            };
            assert_eq!(Parameters::from_onnx(&bytes), Ok(parameters), "{}", activation.name());
        }
    }
}

#[test]
fn names_versions_and_shapes_are_what_engines_expect() {
    let mlp = Mlp::new(3).layer(4, Activation::Gelu).layer(2, Activation::Identity);
    let model = decode(&Init::Auto.sample(&mlp, 1, 7).unwrap().to_onnx().unwrap());
    assert_eq!((model.ir_version, model.opset_import[0].version), (8, 15));
    let graph = model.graph.unwrap();
    let (input, output) = (&graph.input[0], &graph.output[0]);
    assert_eq!((input.name.as_str(), output.name.as_str()), ("x", "y"));
    let sides = |value: &ValueInfo| {
        let tensor = value.r#type.clone().unwrap().tensor.unwrap();
        tensor.shape.unwrap().side.into_iter().map(|side| side.length.unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(sides(input), [Length::Name("rows".into()), Length::Value(3)]);
    assert_eq!(sides(output), [Length::Name("rows".into()), Length::Value(2)]);
    // Every input of a node is a constant, the input, or the output of a node before it.
    for mlp in
        [mlp, Mlp::new(2).encode(2, Frequency { frequencies: 3 }).layer(1, Activation::Identity)]
    {
        let model = decode(&Init::Auto.sample(&mlp, 1, 7).unwrap().to_onnx().unwrap());
        let graph = model.graph.unwrap();
        let mut known: Vec<&str> = graph.initializer.iter().map(|t| t.name.as_str()).collect();
        known.push("x");
        for node in &graph.node {
            assert!(node.input.iter().all(|name| known.contains(&name.as_str())), "{node:?}");
            assert!(!known.contains(&node.output[0].as_str()), "{node:?}");
            known.push(&node.output[0]);
        }
        assert!(known.contains(&"y"));
    }
}

#[test]
fn what_onnx_cannot_say_is_refused() {
    let layer = |mlp: Mlp| mlp.layer(2, Activation::Identity);
    let grid = layer(Mlp::new(2).encode(2, Grid { log2_hashmap_size: 4, ..Grid::default() }));
    let harmonics = crate::network::encoding::SphericalHarmonics { degree: 2 };
    for (mlp, models, words) in [
        (grid, 1, "the encoding is grid; allowed: identity, frequency"),
        (layer(Mlp::new(3).encode(3, harmonics)), 1, "the encoding is spherical_harmonics"),
        (layer(Mlp::new(3)), 2, "the number of models is 2; allowed: 1"),
    ] {
        let error = Init::Auto.sample(&mlp, models, 1).unwrap().to_onnx().unwrap_err();
        assert!(error.to_string().starts_with(words), "{error}");
    }
    // What is written need not be a plain perceptron.
    let encoded = layer(Mlp::new(2).encode(2, Identity { scale: 2.0, offset: 0.5 }));
    let bytes = Init::Auto.sample(&encoded, 1, 1).unwrap().to_onnx().unwrap();
    let error = Parameters::<f32>::from_onnx(&bytes).unwrap_err().to_string();
    assert!(error.contains("a function of the input: an encoding is not read"), "{error}");
}

#[test]
fn the_forms_of_other_writers_are_read() {
    let w: Vec<f32> = vec![0.25, 1.0, 0.5, 1.25, 0.75, 1.5];
    let b = [0.25, 0.5, 0.75];
    let both = [&w[..], &b, &[0.25, 0.5, 0.75], &[0.25]].concat();
    type Nodes<'a> = &'a [(&'a str, &'a [&'a str], &'a str)];
    let two: Nodes<'_> = &[
        ("MatMul", &["x", "w"], "m"),
        ("Add", &["b", "m"], "a"),
        ("Relu", &["a"], "r"),
        ("Gemm", &["r", "v", "c"], "y"),
    ];
    let cases: [(Nodes<'_>, Vec<f32>, Activation); 5] = [
        (two, both.clone(), Activation::Relu),
        // Composed by hand: 1 / (1 + e⁻ᶻ).
        (
            &[
                ("Gemm", &["x", "w", "b"], "g"),
                ("Neg", &["g"], "n"),
                ("Exp", &["n"], "e"),
                ("Add", &["e", "one"], "p"),
                ("Reciprocal", &["p"], "s"),
                ("Gemm", &["s", "v", "c"], "y"),
            ],
            both.clone(),
            Activation::Sigmoid,
        ),
        (
            &[
                ("Identity", &["x"], "i"),
                ("Transpose", &["wt"], "w2"),
                ("MatMul", &["i", "w2"], "m"),
                ("Add", &["m", "b"], "a"),
                ("Sigmoid", &["a"], "s"),
                ("Mul", &["s", "a"], "z"),
                ("Gemm", &["z", "v", "c"], "y"),
            ],
            both.clone(),
            Activation::Silu,
        ),
        // Halves of the input's weight twice.
        (
            &[("Gemm", &["x", "w", "b"], "g"), ("Gemm", &["g", "v", "c"], "y")],
            both.clone(),
            Activation::Identity,
        ),
        (
            &[("MatMul", &["x", "w"], "m"), ("Sin", &["m"], "s"), ("Gemm", &["s", "v", "c"], "y")],
            [&w[..], &both[9..]].concat(),
            Activation::Sine,
        ),
    ];
    for (nodes, values, activation) in cases {
        let bytes = file(nodes, |graph| {
            let one = Tensor {
                name: "one".into(),
                data_type: 11,
                double_data: vec![1.0],
                ..Default::default()
            };
            graph.initializer.push(one);
            let raw_data =
                w.iter().flat_map(|value| half::f16::from_f32(*value).to_le_bytes()).collect();
            let wt = Tensor {
                name: "wt".into(),
                dims: vec![3, 2],
                data_type: 10,
                raw_data,
                ..Default::default()
            };
            graph.initializer.push(wt);
        });
        let read = Parameters::<f32>::from_onnx(&bytes).unwrap();
        assert_eq!(read.values(), values);
        assert_eq!(read.mlp().layers[0].activation, activation);
    }
    // Factors of a Gemm, and its other order.
    let bytes = file(&[("Gemm", &["x", "wt", "b"], "y")], |graph| {
        graph.node[0].attribute =
            vec![float("alpha", 2.0), float("beta", 4.0), integer("transB", 1)];
        graph.initializer[0] =
            Tensor { name: "wt".into(), dims: vec![3, 2], ..graph.initializer[0].clone() };
    });
    let read = Parameters::<f32>::from_onnx(&bytes).unwrap();
    assert_eq!(read.values(), [0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 1.0, 2.0, 3.0]);
}

#[test]
fn a_file_that_is_no_perceptron_is_refused_by_its_node() {
    type Nodes<'a> = &'a [(&'a str, &'a [&'a str], &'a str)];
    let gemm: (&str, &[&str], &str) = ("Gemm", &["x", "w", "b"], "g");
    let cases: [(Nodes<'_>, &str); 17] = [
        (&[], "y: is not what the last layer gives"),
        (
            &[gemm, ("Conv", &["g", "v"], "y")],
            "node the_y (Conv): is no part of a plain perceptron",
        ),
        (&[gemm, ("Softmax", &["g"], "y")], "node the_y (Softmax): is no activation here"),
        (&[gemm, ("Erf", &["g"], "y")], "node the_y (Erf): is part of GELU by erf"),
        (&[gemm, ("Gelu", &["g"], "y")], "node the_y (Gelu): is GELU by erf"),
        (
            &[gemm, ("Mul", &["g", "g"], "y")],
            "y: takes a function of the layer before that is none of",
        ),
        (&[gemm, ("Mul", &["g", "b"], "y")], "node the_y (Mul): takes constants of the shape [3]"),
        (
            &[gemm, ("Relu", &["nothing"], "y")],
            "node the_y (Relu): takes nothing, which comes from nowhere",
        ),
        (&[gemm, ("Add", &["g", "x"], "y")], "node the_y (Add): takes x, which comes from before"),
        (
            &[gemm, ("Gemm", &["g", "w"], "y")],
            "node the_y (Gemm): takes 2 inputs, but the layer before has 3 units",
        ),
        (
            &[gemm, ("Gemm", &["g", "g"], "y")],
            "node the_y (Gemm): has a weight that is not constant",
        ),
        (&[("Gemm", &["x", "b"], "y")], "node the_y (Gemm): has a weight of the shape [3]"),
        (
            &[("Gemm", &["x", "w", "v"], "y")],
            "node the_y (Gemm): has a bias of the shape [3, 1] for 3 units",
        ),
        (&[("Gemm", &["x", "v"], "y")], "x: is 2 wide, but the first layer takes 3"),
        (
            &[("Relu", &["x"], "r"), ("Gemm", &["r", "w"], "y")],
            "node the_y (Gemm): takes a function of the input",
        ),
        // What a bias was added to is no longer the layer's value.
        (
            &[("MatMul", &["x", "w"], "m"), ("Add", &["m", "b"], "a"), ("Mul", &["a", "m"], "y")],
            "node the_y (Mul): takes m, which comes from before",
        ),
        (&[gemm, ("Pow", &["g"], "y")], "node the_y (Pow): has 1 inputs"),
    ];
    for (nodes, words) in cases {
        let error = Parameters::<f32>::from_onnx(&file(nodes, |_| ())).unwrap_err();
        assert!(matches!(error, Error::File { .. }), "{error:?}");
        assert!(error.to_string().starts_with(words), "{words}\n{error}");
    }
    type Change = fn(&mut Graph);
    let changes: [(Change, &str); 7] = [
        (|g| g.initializer[0].float_data[1] = f32::NAN, "w: holds NaN at element 1"),
        (|g| g.initializer[0].data_location = 1, "w: lies in another file"),
        (|g| g.initializer[0].dims = vec![2, -3], "w: has the shape [2, -3]"),
        (
            |g| g.initializer[0].dims = vec![2, 4],
            "w: has 6 elements, which is not the shape [2, 4]",
        ),
        (|g| g.initializer[0].data_type = 9, "w: is of ONNX's type 9"),
        (
            |g| g.node[0].domain = "com.microsoft".into(),
            "node the_y (Gemm): is of the domain com.microsoft",
        ),
        (|g| g.input.clear(), "file: has 0 inputs []"),
    ];
    for (change, words) in changes {
        let bytes = file(&[("Gemm", &["x", "w", "b"], "y")], change);
        let error = Parameters::<f32>::from_onnx(&bytes).unwrap_err();
        assert!(error.to_string().starts_with(words), "{words}\n{error}");
    }
}

#[test]
fn bytes_cut_or_changed_anywhere_never_panic() {
    let mlp = Mlp::new(3).layer(4, Activation::Gelu).layer(2, Activation::Silu);
    let whole = Init::Auto.sample(&mlp, 1, 7).unwrap().to_onnx().unwrap();
    for end in 0..whole.len() {
        assert!(Parameters::<f32>::from_onnx(&whole[..end]).is_err(), "cut at {end}");
    }
    let mut random = crate::numeric::Random::new(3);
    for _ in 0..3000 {
        let mut bytes = whole.clone();
        for _ in 0..3 {
            let at = random.uniform(0.0, bytes.len() as f64) as usize;
            bytes[at] = random.uniform(0.0, 256.0) as u8;
        }
        // Some changes are of values: those are read.
        let _ = Parameters::<f32>::from_onnx(&bytes);
    }
    for bytes in [&b""[..], b"{\"a\": 1}", b"version https://git-lfs.github.com/spec/v1\n"] {
        let error = Parameters::<f32>::from_onnx(bytes).unwrap_err().to_string();
        assert!(error.starts_with("file: is no ONNX file: it "), "{error}");
    }
}

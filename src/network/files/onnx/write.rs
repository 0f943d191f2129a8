//! A network as an ONNX model.

use super::encodings::encode;
use super::graph::{Builder, float, integer};
use super::proto::{
    Length, Model, OperatorSet, Shape, Side, TensorType, Type, ValueInfo, data_type,
};
use crate::error::{Error, Result};
use crate::network::{Activation, Parameters};

/// Unity Sentis documents the operator sets 7 to 15. The last one came with version 8.
const OPERATORS: i64 = 15;
const VERSION: i64 = 8;

pub fn model(parameters: &Parameters) -> Result<Model> {
    let mlp = parameters.mlp();
    if parameters.models() != 1 {
        return Err(Error::argument(
            "the number of models",
            parameters.models(),
            "1 in an ONNX file",
        ));
    }
    let mut builder = Builder::default();
    let mut value = encode(&mut builder, mlp, "x")?;
    let values = parameters.values();
    for (index, (layer, range)) in mlp.layers.iter().zip(mlp.ranges()).enumerate() {
        builder.scope = format!("layer_{index}");
        let name = format!("layers.{index}.weight");
        let weight = builder.named(&name, &range.shape, &values[range.weight]);
        let mut inputs = vec![value, weight];
        if !range.bias.is_empty() {
            let name = format!("layers.{index}.bias");
            inputs.push(builder.named(&name, &[layer.units], &values[range.bias]));
        }
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        value = builder.node("Gemm", &inputs, vec![integer("transB", 1)]);
        value = activate(&mut builder, layer.activation, value)?;
    }
    let mut graph = builder.finish(&value, "y");
    graph.name = mlp.to_string();
    graph.input = vec![matrix("x", mlp.inputs)];
    graph.output = vec![matrix("y", mlp.outputs())];
    Ok(Model {
        ir_version: VERSION,
        producer_name: "wgrad".into(),
        // No version of the crate: the same network is the same bytes.
        producer_version: String::new(),
        graph: Some(graph),
        opset_import: vec![OperatorSet { domain: String::new(), version: OPERATORS }],
    })
}

/// A value of f32, `[rows, width]` with any number of rows.
fn matrix(name: &str, width: usize) -> ValueInfo {
    let width = i64::try_from(width).unwrap_or(i64::MAX);
    let side = [Length::Name("rows".into()), Length::Value(width)];
    let side = side.into_iter().map(|length| Side { length: Some(length) }).collect();
    let tensor = TensorType { element: data_type::FLOAT, shape: Some(Shape { side }) };
    ValueInfo { name: name.into(), r#type: Some(Type { tensor: Some(tensor) }) }
}

/// Adds an activation's nodes and gives the name of its value.
fn activate(builder: &mut Builder, activation: Activation, z: String) -> Result<String> {
    Ok(match activation {
        Activation::Identity => z,
        Activation::Sigmoid => builder.op("Sigmoid", &[&z]),
        Activation::Tanh => builder.op("Tanh", &[&z]),
        Activation::Relu => builder.op("Relu", &[&z]),
        Activation::LeakyRelu => builder.node("LeakyRelu", &[&z], vec![float("alpha", 0.01)]),
        Activation::Softplus => builder.op("Softplus", &[&z]),
        Activation::Sine => builder.op("Sin", &[&z]),
        // The operator Swish is of operator set 24.
        Activation::Silu => {
            let sigmoid = builder.op("Sigmoid", &[&z]);
            builder.op("Mul", &[&z, &sigmoid])
        }
        // The operator Gelu is of operator set 20. This is the form that runtimes know and fuse.
        Activation::Gelu => {
            let square = builder.op("Mul", &[&z, &z]);
            let cube = builder.op("Mul", &[&square, &z]);
            let part = builder.op_with("Mul", &cube, 0.044_715);
            let sum = builder.op("Add", &[&z, &part]);
            let u = builder.op_with("Mul", &sum, 0.797_884_6);
            let tanh = builder.op("Tanh", &[&u]);
            let gate = builder.op_with("Add", &tanh, 1.0);
            let twice = builder.op("Mul", &[&z, &gate]);
            builder.op_with("Mul", &twice, 0.5)
        }
        // A constant keeps the crate's bound: e⁸⁹ is not finite.
        Activation::Exponential => {
            let bounded = builder.op_with("Min", &z, 88.0);
            builder.op("Exp", &[&bounded])
        }
        // ½ (z + r) is max(z, 0) + ½ (r − |z|), and r − |z| is 0.04 / (r + |z|), which does not
        // cancel.
        Activation::Squareplus => {
            let square = builder.op("Mul", &[&z, &z]);
            let sum = builder.op_with("Add", &square, 0.04);
            let root = builder.op("Sqrt", &[&sum]);
            let size = builder.op("Abs", &[&z]);
            let sum = builder.op("Add", &[&root, &size]);
            let inverse = builder.op("Reciprocal", &[&sum]);
            let rest = builder.op_with("Mul", &inverse, 0.02);
            let relu = builder.op("Relu", &[&z]);
            builder.op("Add", &[&relu, &rest])
        }
        Activation::SharpSoftplus => {
            let ten = builder.op_with("Mul", &z, 10.0);
            let softplus = builder.op("Softplus", &[&ten]);
            builder.op_with("Mul", &softplus, 0.1)
        }
        Activation::Custom(custom) => {
            let allowed = "one of the crate's own in an ONNX file";
            return Err(Error::argument("the activation", custom.name(), allowed));
        }
    })
}
